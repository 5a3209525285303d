"""Each kind of mistake, made by hand: it is found, and nothing else is."""

import math
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_eca.data import KINDS, check_data
from tests.conftest import ROOT

from .content import make_data, write


def objects(**changes):
    """Changes the objects 2 and 5."""

    def change(content, folder):
        for i in (1, 4):
            content['annotations'][i].update(changes)

    return change


def entry(key, i, **changes):
    return lambda content, folder: content[key][i].update(changes)


def drop(key, i, name):
    return lambda content, folder: content[key][i].pop(name)


def add(key, **values):
    """Adds an entry like the first one, but for these values."""
    return lambda content, folder: content[key].append({**content[key][0], **values})


def every_box(*box):
    def change(content, folder):
        for one in content['annotations']:
            one['bbox'] = list(box)

    return change


def cut_off(content, folder):
    file = folder / '3.png'
    file.write_bytes(file.read_bytes()[:-20])


def turn(content, folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (60, 40)).save(folder / '2.png', 'JPEG', exif=exif)


def crowd(content, folder):
    """COCO's own form is no mistake; neither is RLE of a single object."""
    rle = dict(counts=[83, 600, 1717], size=[40, 60])
    content['annotations'][0].update(iscrowd=1, segmentation=rle)
    content['annotations'][2].update(segmentation=rle)
    content['annotations'][3].update(iscrowd=1)


def every_object(**changes):
    return lambda content, folder: [o.update(changes) for o in content['annotations']]


def text_id(content, folder):
    content['images'][1]['id'] = content['annotations'][1]['image_id'] = 'frame'


def uuids(content, folder):
    for one in content['annotations']:
        one['id'] = f'0000-{one["id"]}'


def save(kind, dtype):
    def change(content, folder):
        Image.fromarray(np.zeros((40, 60), dtype)).save(folder / '1.png', kind)

    return change


def deep(content, folder):
    """Values of 12 bits in 16, of which the upper 8 are read."""
    pixels = np.random.default_rng(0).integers(0, 4096, (40, 60, 3), np.uint16)
    cv2.imwrite(str(folder / '1.png'), pixels)


def many(content, folder):
    first = content['annotations'][0]
    content['annotations'] += [dict(first, id=10 + i) for i in range(100)]


def rename(content, folder):
    content['categories'][1]['name'] = ' hot  dog'


DROP = object()
PAIRS = [[2, 3], [22, 3], [22, 33], [2, 33]]
EMPTY, NO_CLASS = 'image-without-objects', 'class-without-objects'
ALL = [1, 2, 3, 4, 5, 6]
RLE = dict(counts=[1, 2, 3], size=[40, 60])
TURNED = dict(counts=[1000, 600, 800], size=[60, 40])
NEEDS = f'{NO_CLASS} {EMPTY}'
BROKEN = [
    # A field with a value that MMDetection or pycocotools cannot use.
    ('images', 2, 'width', '60'),
    ('images', 2, 'width', 0),
    ('images', 2, 'height', DROP),
    ('images', 2, 'height', None),
    ('images', 2, 'id', True),
    ('images', 2, 'file_name', 2),
    ('categories', 1, 'name', 3),
    ('categories', 1, 'id', [3]),
    ('annotations', 2, 'id', None),
    ('annotations', 2, 'bbox', DROP),
    ('annotations', 2, 'bbox', [1, 2, 3]),
    ('annotations', 2, 'bbox', ['2', '3', '20', '30']),
    ('annotations', 2, 'bbox', [0, 0, 1e200, 1e200]),
    ('annotations', 2, 'bbox', [0, 0, math.nan, 2]),
    ('annotations', 2, 'area', '600'),
    ('annotations', 2, 'area', DROP),
    ('annotations', 2, 'iscrowd', None),
    ('annotations', 2, 'iscrowd', '0'),
    ('annotations', 2, 'iscrowd', -1),
    ('annotations', 2, 'iscrowd', 10**20),
]
CASES = [
    (
        'duplicate-image-id',
        add('images', file_name='x.png'),
        [10],
        f'missing-image {EMPTY}',
    ),
    ('duplicate-file-name', add('images', id=16), [16], EMPTY),
    ('duplicate-object-id', add('annotations'), [1], ''),
    ('duplicate-category-id', add('categories', name='x'), [7], NO_CLASS),
    ('duplicate-class-name', add('categories', id=5), [5], NO_CLASS),
    ('mixed-image-ids', text_id, ['frame'], ''),
    ('mixed-category-ids', add('categories', id='x', name='x'), ['x'], NO_CLASS),
    ('unlisted-image', add('annotations', id=7, image_id='10'), [7], ''),
    ('unknown-category', add('annotations', id=7, category_id=1), [7], ''),
    ('unknown-mask', objects(segmentation=[1, 2, 3, 4, 5, 6]), [2, 5], ''),
    ('unknown-mask', objects(segmentation=[PAIRS]), [2, 5], ''),
    (
        'unknown-mask',
        objects(segmentation=[['2', '3', '4', '5', '6', '7']]),
        [2, 5],
        '',
    ),
    ('short-polygon', objects(segmentation=[[2, 3, 22, 3]]), [2, 5], ''),
    ('rle-does-not-fit', objects(segmentation=RLE), [2, 5], ''),
    ('rle-does-not-fit', objects(segmentation=TURNED), [2, 5], ''),
    (
        'rle-does-not-fit',
        objects(segmentation=dict(counts='~~', size=[40, 60])),
        [2, 5],
        '',
    ),
    ('boxes-between-0-and-1', every_box(0.1, 0.1, 0.5, 0.6), ALL, NEEDS),
    ('boxes-are-corners', every_box(30, 20, 55, 38), ALL, ''),
    ('box-outside', add('annotations', id=7, bbox=[60, 3, 20, 30]), [7], ''),
    ('box-sticks-out', objects(bbox=[42, 3, 20, 30]), [2, 5], ''),
    ('empty-box', add('annotations', id=7, bbox=[2, 3, 0, 30]), [7], ''),
    ('empty-box', add('annotations', id=7, area=0), [7], ''),
    ('nothing-to-train-with', every_object(ignore=1), ALL, NEEDS),
    (
        'nothing-to-train-with',
        every_object(iscrowd=1),
        ALL,
        f'{NEEDS} crowd-with-polygons',
    ),
    ('missing-image', entry('images', 4, file_name='4.jpg'), [14], ''),
    (
        'unreadable-image',
        lambda c, folder: (folder / '1.png').write_text('x'),
        [11],
        '',
    ),
    ('unreadable-image', save('TIFF', np.float32), [11], ''),
    ('unreadable-image', save('TGA', np.uint8), [11], ''),
    ('more-than-8-bits', deep, [11], ''),
    ('evaluation-fails', uuids, [10, 11, 12, 13, 14, 15], 'text-object-id'),
    ('crowded-image', many, [10], ''),
    ('truncated-image', cut_off, [13], ''),
    ('size-differs', entry('images', 5, height=41), [15], ''),
    ('size-differs', turn, [12], ''),
    ('crowd-with-polygons', crowd, [4], EMPTY),
    ('no-iscrowd', drop('annotations', 3, 'iscrowd'), [4], ''),
    ('class-without-objects', add('categories', id=1, name='cow'), [1], ''),
    ('object-id-0', entry('annotations', 3, id=0), [0], ''),
    (
        'small-objects',
        add('annotations', id=7, bbox=[2, 3, 1.5, 1.5], area=2.25, segmentation=[]),
        [7],
        '',
    ),
    ('area-differs', objects(area=200), [2, 5], ''),
    ('area-differs', objects(area=1300, segmentation=[]), [2, 5], ''),
    ('image-without-objects', lambda c, folder: c['annotations'].pop(2), [12], ''),
    ('spaces-in-class-name', rename, [3], ''),
]


def findings_of(content, folder):
    report = check_data(write(content, folder / 'train.json'), str(folder))
    findings = report.sets[0].findings
    assert all(str(found) in str(report) for found in findings.values())
    assert all(len(str(found).splitlines()) == 1 for found in findings.values())
    return findings


@pytest.mark.parametrize(('key', 'place', 'field', 'value'), BROKEN)
def test_a_value_of_another_type_is_named(key, place, field, value, tmp_path):
    """And nothing else: what is missing without the entry is a consequence."""
    content = make_data(tmp_path)
    content[key][place][field] = value
    if value is DROP:
        del content[key][place][field]
    findings = findings_of(content, tmp_path)
    found = findings.pop('broken-entry')
    assert found.severity == 'error' and found.ids == [f'entry {place + 1} of "{key}"']
    shown = f'has no {field!r}' if value is DROP else f'has {field}={value!r}'
    assert shown.replace('nan', "'NaN'") in found.examples[0]
    assert not findings


@pytest.mark.parametrize(('kind', 'change', 'ids', 'consequences'), CASES)
def test_a_mistake_is_found(kind, change, ids, consequences, tmp_path):
    content = make_data(tmp_path)
    change(content, tmp_path)
    findings = findings_of(content, tmp_path)
    assert findings.keys() == {kind, *consequences.split()}
    found = findings[kind]
    severity = 'error' if kind == 'more-than-8-bits' else KINDS[kind].severity
    assert found.ids == ids and found.severity == severity


@pytest.mark.parametrize(
    ('name', 'there', 'shown'),
    [
        ('sub\\x.png', 'x.png', 'x.png'),
        ('sub\\x.png', 'sub/x.png', 'sub/x.png'),
        ('x.PNG', 'x.png', 'x.png'),
        ('a%20b.png', 'a b.png', 'a b.png'),
        ('/data/images/x.png', 'x.png', 'x.png'),
        ('caf\u00e9.png', 'cafe\u0301.png', 'NFD'),
        ('cafe\u0301.png', 'caf\u00e9.png', 'NFC'),
        ('sub/x.png', 'x.png', 'folder that sub/ is in'),
        ('nowhere.png', 'x.png', 'nowhere.png'),
    ],
)
def test_what_ls_shows_for_a_missing_name(name, there, shown, tmp_path):
    content = make_data(tmp_path)
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / '0.png').rename(tmp_path / there)
    content['images'][0]['file_name'] = name
    (example,) = findings_of(content, tmp_path)['missing-image'].examples
    assert example.startswith(name) and example.endswith(shown)


def test_masks_that_the_detector_of_a_config_needs(tmp_path):
    content = make_data(tmp_path)
    del content['annotations'][1]['segmentation']
    path = write(content, tmp_path / 'data.json')
    for config, kinds in (
        ('mask_rcnn_eca_r50_fpn_1x.py', {'no-mask'}),
        ('faster_rcnn_eca_r50_fpn_1x.py', set()),
    ):
        findings = check_data(path, str(tmp_path), config=config).sets[0].findings
        assert findings.keys() == kinds


def test_what_only_the_evaluation_needs_is_a_warning_for_training(tmp_path):
    paths = []
    for name in ('train', 'val'):
        content = make_data(tmp_path / name)
        for i in range(6):  # another image in each set
            pixels = np.full((40, 60, 3), 9 * i + (name == 'val'), np.uint8)
            cv2.imwrite(str(tmp_path / f'{name}/{i}.png'), pixels)
        del content['annotations'][0]['iscrowd']
        paths.append((write(content, tmp_path / f'{name}.json'), str(tmp_path / name)))
    report = check_data(*paths[0], paths[1])
    found = [data.findings['no-iscrowd'].severity for data in report.sets]
    assert found == ['warning', 'error']


def test_every_kind_is_tested():
    of_both = {'validation-in-training', 'other-classes', 'broken-entry', 'no-mask'}
    of_both.add('text-object-id')
    assert {kind for kind, *_ in CASES} | of_both == set(KINDS)


def test_the_page_lists_every_kind():
    with open(f'{ROOT}/docs/your_data.md', encoding='utf-8') as file:
        rows = [line for line in file if line.startswith('| `')]
    rows = [row for row in rows if row.split('`')[1] in KINDS]
    assert rows == [
        f'| `{name}` | {kind.severity} | {kind.subject} | {kind.text} |\n'
        for name, kind in KINDS.items()
    ]


def test_nothing_is_wrong(tmp_path):
    path = write(make_data(tmp_path), tmp_path / 'train.json')
    text = str(check_data(path, str(tmp_path)))
    assert 'nothing to report' in text and '0 errors' in text


def test_an_image_of_the_validation_set_in_the_training_set(tmp_path):
    for name in ('train', 'val'):
        write(make_data(tmp_path / name), tmp_path / f'{name}.json')
    for i in (0, 1, 2, 4):  # the same length, other pixels
        Image.new('RGB', (60, 40), (i, 0, 0)).save(tmp_path / f'val/{i}.png')
        Image.new('RGB', (60, 40), (0, i, 9)).save(tmp_path / f'train/{i}.png')
    Image.new('RGB', (60, 40), (7, 7, 7)).save(tmp_path / 'val/3.png')
    Image.new('RGB', (60, 40), (7, 8, 7)).save(tmp_path / 'train/3.png')
    shutil.copy(tmp_path / 'val/5.png', tmp_path / 'train/1.png')
    (tmp_path / 'train/5.png').write_bytes(b'')
    val = [str(tmp_path / 'val.json'), str(tmp_path / 'val')]
    report = check_data(str(tmp_path / 'train.json'), str(tmp_path / 'train'), val)
    train, findings = (data.findings for data in report.sets)
    assert findings.keys() == {'validation-in-training'}
    assert findings['validation-in-training'].ids == [15]
    assert '(5.png is 1.png there)' in str(report)
    assert train.keys() == {'unreadable-image'}


@pytest.mark.parametrize(
    ('names', 'ids', 'difference'),
    [
        (['cat', 'cow'], [3], 'without dog and with cow'),
        (['dog', 'cat'], [7, 3], 'in another order'),
    ],
)
def test_other_classes_of_the_validation_set(names, ids, difference, tmp_path):
    path = write(make_data(tmp_path / 'train'), tmp_path / 'train.json')
    content = make_data(tmp_path / 'val')
    for i, name in enumerate(names):
        content['categories'][i]['name'] = name
        Image.new('RGB', (60, 40)).save(tmp_path / f'val/{i}.png')
    val = [write(content, tmp_path / 'val.json'), str(tmp_path / 'val')]
    report = check_data(path, str(tmp_path / 'train'), val)
    found = report.sets[1].findings['other-classes']
    assert found.ids == ids and found.examples == [difference]
