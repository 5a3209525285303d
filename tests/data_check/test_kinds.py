"""Each kind of mistake, made by hand: it is found, and nothing else is."""

import shutil

import pytest
from PIL import Image

from mmdet_eca.data_check import check_data
from mmdet_eca.datasets import KINDS
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


def nothing_used(content, folder):
    for one in content['annotations']:
        one['ignore'] = 1


def rename(content, folder):
    content['categories'][1]['name'] = ' hot  dog'


EMPTY, NO_CLASS = 'image-without-objects', 'class-without-objects'
ALL = [1, 2, 3, 4, 5, 6]
RLE = dict(counts=[1, 2, 3], size=[40, 60])
TURNED = dict(counts=[1000, 600, 800], size=[60, 40])
CASES = [
    (
        'broken-entry',
        drop('images', 2, 'height'),
        ['entry 3 of "images" has no \'height\''],
        'unlisted-image',
    ),
    (
        'broken-entry',
        drop('annotations', 2, 'bbox'),
        ['entry 3 of "annotations" has no \'bbox\''],
        EMPTY,
    ),
    (
        'broken-entry',
        entry('annotations', 0, bbox=[1, 2, 3]),
        ['entry 1 of "annotations" is wrong'],
        EMPTY,
    ),
    (
        'broken-entry',
        entry('annotations', 0, area='much'),
        ['entry 1 of "annotations" is wrong'],
        EMPTY,
    ),
    (
        'broken-entry',
        entry('annotations', 0, bbox=[0, 0, 1e200, 1e200]),
        ['entry 1 of "annotations" is wrong'],
        EMPTY,
    ),
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
    ('unlisted-image', add('annotations', id=7, image_id='10'), [7], ''),
    ('unknown-category', add('annotations', id=7, category_id=1), [7], ''),
    ('unknown-mask', objects(segmentation=[1, 2, 3, 4, 5, 6]), [2, 5], ''),
    ('short-polygon', objects(segmentation=[[2, 3, 22, 3]]), [2, 5], ''),
    ('rle-does-not-fit', objects(segmentation=RLE), [2, 5], ''),
    ('rle-does-not-fit', objects(segmentation=TURNED), [2, 5], ''),
    (
        'rle-does-not-fit',
        objects(segmentation=dict(counts='~~', size=[40, 60])),
        [2, 5],
        '',
    ),
    (
        'boxes-between-0-and-1',
        every_box(0.1, 0.1, 0.5, 0.6),
        ALL,
        f'{NO_CLASS} {EMPTY}',
    ),
    ('boxes-are-corners', every_box(30, 20, 55, 38), ALL, ''),
    ('box-outside', add('annotations', id=7, bbox=[60, 3, 20, 30]), [7], ''),
    ('box-sticks-out', objects(bbox=[42, 3, 20, 30]), [2, 5], ''),
    ('empty-box', add('annotations', id=7, bbox=[2, 3, 0, 30]), [7], ''),
    ('empty-box', add('annotations', id=7, area=0), [7], ''),
    ('nothing-to-train-with', nothing_used, ALL, f'{NO_CLASS} {EMPTY}'),
    ('missing-image', entry('images', 4, file_name='4.jpg'), [14], ''),
    (
        'unreadable-image',
        lambda c, folder: (folder / '1.png').write_text('x'),
        [11],
        '',
    ),
    ('truncated-image', cut_off, [13], ''),
    ('size-differs', entry('images', 5, height=41), [15], ''),
    ('size-differs', turn, [12], ''),
    ('crowd-with-polygons', crowd, [4], ''),
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


@pytest.mark.parametrize(('kind', 'change', 'ids', 'consequences'), CASES)
def test_a_mistake_is_found(kind, change, ids, consequences, tmp_path):
    content = make_data(tmp_path)
    change(content, tmp_path)
    report = check_data(write(content, tmp_path / 'train.json'), str(tmp_path))
    ((_, _, findings),) = report.sets
    assert findings.keys() == {kind, *consequences.split()}
    found = findings[kind]
    assert found.ids == ids and found.severity == KINDS[kind].severity
    assert str(found) in str(report) and len(str(found).splitlines()) == 1


def test_every_kind_is_tested():
    of_both = {'validation-in-training', 'other-classes'}
    assert {kind for kind, *_ in CASES} | of_both == set(KINDS)


def test_the_page_lists_every_kind():
    with open(f'{ROOT}/docs/check_coco.md', encoding='utf-8') as file:
        rows = [line for line in file if line.startswith('| `')]
    rows = [row for row in rows if row.split('`')[1] in KINDS]
    assert rows == [
        f'| `{name}` | {kind.severity} | {kind.subject} | {kind.text} |\n'
        for name, kind in KINDS.items()
    ]


def test_nothing_is_wrong(tmp_path):
    path = write(make_data(tmp_path), tmp_path / 'train.json')
    text = str(check_data(path, str(tmp_path)))
    assert 'nothing to report' in text and '0 kinds of errors' in text


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
    (_, _, train), (_, _, findings) = report.sets
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
    found = report.sets[1][2]['other-classes']
    assert found.ids == ids and found.examples == [difference]
