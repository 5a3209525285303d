"""Annotation files: JSON of any form, and the objects that MMDetection loads."""

import json

import numpy as np
import pytest
from mmdet.datasets import CocoDataset

from mmdet_eca import UserError
from mmdet_eca.data import quick_check, read_categories, read_coco_file
from mmdet_eca.data.coco_file import read_lists, write_lists
from mmdet_eca.data.objects import check_objects

from .content import make_data, write


@pytest.mark.parametrize(
    'options', [{}, dict(indent=1), dict(ensure_ascii=False, separators=(',', ':'))]
)
@pytest.mark.parametrize('name', ['猫', "l'été", 'caf\udce9', 'NaN'])
def test_entries_are_what_json_reads(options, name, tmp_path):
    """Also what only Python's parser takes: NaN, and bytes that are no UTF-8."""
    if name == 'caf\udce9' and 'ensure_ascii' in options:
        pytest.skip('no UTF-8')
    content = make_data(tmp_path)
    content.update(info=dict(a=[1, [2]]), more=[12, 3.5])
    content['categories'][0]['name'] = name
    if name == 'NaN':
        content['images'][0]['licence'] = float('nan')
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(content, **options), encoding='utf-8')
    data = read_coco_file(str(path))
    assert data.classes == (name, 'dog') and not data.findings
    assert read_categories(str(path)) == [name, 'dog']
    write_lists(str(path), annotations=data.lists.annotations)
    assert json.loads(path.read_text()) == dict(annotations=content['annotations'])


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '{"images": {}}',
        '{"info": [{"id": 1}',
        '{"info": [{"id": 1}] "annotations": []}',
        '{"images": []} more',
        '{"images": ' + '[' * 100_000,
        '{"images": [\x00]}',
        '\xff\xfe{',
        '\ufeff{}',
    ],
)
def test_what_is_no_json_of_coco(text, tmp_path):
    path = tmp_path / 'data.json'
    path.write_bytes(text.encode('latin-1' if text[:1] == '\xff' else 'utf-8'))
    with pytest.raises(UserError, match='is not a COCO annotation file') as error:
        read_coco_file(str(path))
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize('key', ['images', 'annotations', 'categories'])
def test_a_list_that_is_missing_or_empty(key, tmp_path):
    content = make_data(tmp_path)
    for change in (lambda: content.update({key: []}), lambda: content.pop(key)):
        change()
        with pytest.raises(UserError, match=f'has no {key}'):
            read_coco_file(write(content, tmp_path / 'data.json'))
    with pytest.raises(UserError, match='does not exist'):
        read_lists(str(tmp_path / 'none.json'))


def test_objects_that_are_loaded_are_those_that_mmdet_loads(tmp_path):
    """Peer: MMDetection's own data set, on boxes of all kinds."""
    rng = np.random.default_rng(0)
    kinds = [
        dict(area=0),
        dict(ignore=True),
        dict(ignore=1),
        dict(iscrowd=1),
        dict(iscrowd=True),
        dict(category_id=4),
        dict(bbox=[60, 3, 5, 5]),
        dict(bbox=[-5, 3, 5, 5]),
        dict(bbox=[-5, 3, 6, 5]),
        dict(bbox=[5, 40, 5, 5]),
        dict(bbox=[5, 39, 5, 5]),
        dict(bbox=[5, 5, 0.9, 5]),
        dict(bbox=[5, 5, 1, 1]),
        dict(bbox=[5, 5, -3, 5]),
        *(dict(bbox=rng.uniform(-30, 70, 4).tolist()) for _ in range(100)),
    ]
    content = make_data(tmp_path)
    first = content['annotations'][0]
    content['annotations'] = [
        dict(first, id=i + 1, image_id=10 + i % 6, **kind)
        for i, kind in enumerate(kinds)
    ]
    path = write(content, tmp_path / 'data.json')
    data = read_coco_file(path)
    mmdets = CocoDataset(
        ann_file=path,
        data_prefix=dict(img=''),
        metainfo=dict(classes=data.classes),
        pipeline=[],
        test_mode=True,
    )
    infos = [mmdets.get_data_info(i)['instances'] for i in range(6)]
    loaded = np.bincount(data.images[data.is_loaded], minlength=6)
    assert loaded.tolist() == list(map(len, infos)) and 20 < loaded.sum() < 100
    singles = [sum(not one['ignore_flag'] for one in info) for info in infos]
    used = np.bincount(data.images[data.is_used], minlength=6)
    assert used.tolist() == singles
    found = check_objects(data)
    assert found['unknown-category'].ids == [6]
    assert found['box-outside'].ids[:2] == [7, 8]


def test_the_sample_is_what_the_whole_file_begins_with(tmp_path):
    path = write(make_data(tmp_path), tmp_path / 'data.json')
    whole, first = read_coco_file(path), read_coco_file(path, first=4)
    assert first.ids == whole.ids[:4] and first.file_names == whole.file_names
    assert str(whole) == '6 images, 6 objects of 2 classes, with masks'
    quick_check(path, str(tmp_path))
