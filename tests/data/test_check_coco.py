"""The command: what it prints and writes, and its exit status."""

import json
import os

import cv2
import numpy as np
import pytest
from mmdet.datasets.transforms import Resize
from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.data import KINDS, Anchors, anchors_of, read_coco_file
from tests.tools.in_process import call, mistake

from .content import make_data, write


def status_of(*words):
    """The exit status of the command."""
    try:
        call('check-coco', *words)
    except SystemExit as end:
        return end.code
    return 0


def digits_words(digits, split='train'):
    return f'{digits}/annotations/instances_{split}.json', f'{digits}/{split}'


@pytest.fixture
def bad(tmp_path):
    """An error, a warning and a note: a missing image, a class without objects and a
    wrong area."""
    content = make_data(tmp_path)
    content['images'][0]['file_name'] = 'nowhere.png'
    content['categories'].append(dict(id=1, name='cow'))
    content['annotations'][2]['area'] = 100
    return write(content, tmp_path / 'bad.json'), tmp_path


def test_digits(digits, tmp_path, capsys):
    words, picture = digits_words(digits), tmp_path / 'data.png'
    assert status_of(*words, '--strict', '--picture', picture) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f'{words[0]}: 8 images, ') and second == 'nothing to report'
    assert cv2.imread(str(picture)).std() > 30
    # Four images need not show every digit.
    assert status_of(*words, '--val', *digits_words(digits, 'val')) == 0


def test_the_text_has_a_line_for_each_kind(bad, capsys):
    assert status_of(*bad) == 1
    first, *kinds, last = capsys.readouterr().out.splitlines()
    assert first.endswith('6 images, 6 objects of 3 classes, with masks')
    assert [line.split()[0] for line in kinds] == ['ERROR', 'warning', 'note']
    for line, words in zip(kinds, ('1 of 6 images|nowhere.png', '1 of 3|cow', 'id 3')):
        assert all(word in line for word in words.split('|'))
    assert last == 'kinds of problems: 1 error, 1 warning, 1 note'


def test_json_has_all_ids(bad, tmp_path, capsys):
    assert status_of(*bad, '--json') == 1
    printed = json.loads(capsys.readouterr().out)
    assert status_of(*bad, '--json', tmp_path / 'report.json') == 1
    assert 'ERROR' in capsys.readouterr().out
    assert json.loads((tmp_path / 'report.json').read_text()) == printed
    assert (printed['errors'], printed['warnings'], printed['notes']) == (1, 1, 1)
    (data,) = printed['data_sets']
    assert data['annotations'] == bad[0] and data['images'] == str(bad[1])
    assert data['counts'] == dict(images=6, objects=6, categories=3)
    found = [(one['kind'], one['severity'], one['ids']) for one in data['findings']]
    assert found == [
        ('missing-image', 'error', [10]),
        ('class-without-objects', 'warning', [1]),
        ('area-differs', 'note', [3]),
    ]
    for one in data['findings']:
        assert one['count'] == len(one['ids']) <= one['of']
        assert one['remedy'] == KINDS[one['kind']].remedy


def test_strict_fails_on_warnings_only(tmp_path):
    content = make_data(tmp_path)
    content['annotations'][2]['area'] = 100
    path = write(content, tmp_path / 'note.json')
    assert status_of(path, tmp_path, '--strict') == 0
    content['categories'].append(dict(id=1, name='cow'))
    path = write(content, tmp_path / 'warning.json')
    assert status_of(path, tmp_path) == 0
    assert status_of(path, tmp_path, '--strict') == 1


def test_one_line_for_what_cannot_be_checked(tmp_path):
    path = write(make_data(tmp_path / 'images'), tmp_path / 'data.json')
    images = tmp_path / 'images'
    empty = tmp_path / 'empty.json'
    empty.write_text('{"images": []}')
    config = tmp_path / 'config.py'
    config.write_text('model = dict()')
    for words, message in (
        (('none.json', images), 'annotation file none.json does not exist'),
        ((empty, images), 'has no images'),
        ((images / '1.png', images), 'is not a COCO annotation file'),
        ((path, tmp_path / 'none'), 'none does not exist'),
        ((path, images, '--val', path, 'none'), 'folder of images none does not'),
        ((path, images, '--json', path), 'data.json exists'),
        ((path, images, '--json', 'none/x.json'), 'folder none of none/x.json'),
        ((path, images, '--picture', 'x.jpg'), '--picture must end in .png'),
        ((path, images, '--config', 'x.py'), 'config x.py does not exist'),
        ((path, images, '--config', config), 'has no Resize with a scale'),
    ):
        assert message in mistake('check-coco', *words)
    assert sorted(os.listdir(tmp_path)) == [
        'config.py', 'data.json', 'empty.json', 'images'
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('config', 'sizes', 'scale'),
    [
        (None, (32, 64, 128, 256, 512), (1333, 800)),
        ('mask_rcnn_eca_r50_fpn_1x.py', (32, 64, 128, 256, 512), (1333, 800)),
        ('fcos_eca_r50_fpn_gn-head_1x.py', (), (1333, 800)),
    ],
)
def test_anchors_of_configs(config, sizes, scale):
    anchors = anchors_of(config and Config.fromfile(config_path(config)))
    assert anchors.sizes == pytest.approx(sizes) and anchors.scale == scale


def test_anchors_of_retinanet():
    """The paper's: 4 times the stride times 1, 2^(1/3) and 2^(2/3)."""
    expected = [
        4 * stride * 2 ** (octave / 3)
        for stride in (8, 16, 32, 64, 128)
        for octave in range(3)
    ]
    cfg = Config.fromfile(config_path('retinanet_eca_r50_fpn_1x.py'))
    sizes = anchors_of(cfg).sizes
    assert sizes == pytest.approx(expected, abs=0.01)


def test_scale_of_the_digits():
    path = 'digits/mask_rcnn_eca_r50_digits.py'
    cfg = Config.fromfile(config_path(path))
    steps = cfg.test_dataloader.dataset.pipeline
    (scale,) = (step.scale for step in steps if step.type == 'Resize')
    assert anchors_of(cfg).scale == tuple(scale)


def test_objects_are_as_large_as_mmdets_resize_makes_them(tmp_path):
    rng = np.random.default_rng(0)
    content = make_data(tmp_path)
    for image, entry in zip(content['images'], content['annotations']):
        image['width'], image['height'] = rng.integers(30, 4000, 2).tolist()
        entry['bbox'] = [0, 0, *rng.integers(5, 30, 2).tolist()]
    data = read_coco_file(write(content, tmp_path / 'data.json'))
    expected = []
    for (width, height), box in zip(data.sizes.astype(int), data.boxes):
        results = dict(img=np.zeros((height, width, 3), np.uint8))
        factors = Resize((1333, 800), keep_ratio=True)(results)['scale_factor']
        expected.append(np.prod(box[2:] * factors) ** 0.5)
    assert Anchors().object_sizes(data) == pytest.approx(expected, rel=0.02)


def test_small_objects_are_a_warning_from_a_quarter_on(tmp_path):
    content = make_data(tmp_path)
    for severity in ('note', 'warning'):
        for _ in range(6 if severity == 'warning' else 1):
            number = len(content['annotations']) + 1
            entry = dict(content['annotations'][0], id=number, segmentation=[])
            content['annotations'].append(dict(entry, bbox=[2, 3, 1, 2], area=2))
        data = read_coco_file(write(content, tmp_path / 'data.json'))
        Anchors().find_small_objects(data)
        found = data.findings.pop('small-objects')
        assert found.severity == severity and found.ids[0] == 7
        assert '32 pixels, at the test scale of 1333 x 800' in str(found)
