"""Annotation files, read and checked as MMDetection uses them."""

import json
import shutil

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from PIL import Image

from mmdet_eca import UserError
from mmdet_eca.datasets import (
    check_coco_file,
    check_objects,
    check_same_classes,
    iterate_lists,
    json_lists,
    read_categories,
    read_coco_file,
)

MANY = 2**22  # what the reader reads at once


@pytest.fixture
def data(tmp_path):
    """A folder of six images, 60 x 40, and the content of its annotation file."""
    for i in range(6):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((40, 60, 3), i, np.uint8))
    return dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=60, height=40) for i in range(6)
        ],
        annotations=[
            dict(
                id=i + 1,
                image_id=i,
                category_id=(7, 3)[i % 2],
                bbox=[2, 3, 20, 30],
                area=600,
                iscrowd=0,
                segmentation=[[2, 3, 22, 3, 22, 33, 2, 33]],
            )
            for i in range(6)
        ],
        categories=[dict(id=7, name="l'été"), dict(id=3, name='猫')],
    )


def write(data, folder, name='data.json'):
    path = folder / name
    path.write_text(json.dumps(data), encoding='utf-8')
    return str(path)


def warnings_of(data, folder):
    return check_coco_file(read_coco_file(write(data, folder)), str(folder))


def error_of(data, folder):
    with pytest.raises(UserError) as error:
        warnings_of(data, folder)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def collected(path):
    content = {}
    for key, value in iterate_lists(path):
        content.setdefault(key, []).append(value)
    return content


@pytest.mark.parametrize('piece', [1, 7, 64, 2**22])
def test_the_stream_is_what_json_reads(data, tmp_path, piece, monkeypatch):
    monkeypatch.setattr(json_lists, '_PIECE', piece)
    content = dict(
        data, info=dict(a=[1, [2]]), numbers=[12, 3.5, -1e-3, True], licenses=[]
    )
    for options in (
        {},
        dict(indent=1),
        dict(ensure_ascii=False, separators=(',', ':')),
    ):
        path = tmp_path / 'data.json'
        path.write_text(json.dumps(content, **options), encoding='utf-8')
        expected = {k: v if isinstance(v, list) else [v] for k, v in content.items()}
        expected.pop('licenses')
        assert collected(path) == expected
        assert read_categories(str(path)) == ["l'été", '猫']
    path.write_text('{}')
    assert collected(path) == {}


def test_the_stream_holds_a_piece_of_a_long_file(data, tmp_path):
    """A number that goes on in the next piece included."""
    long = [dict(id=i, text='ü' * 200) for i in range(10_000)]
    path = write(dict(data, more=long, last=123), tmp_path)
    assert (tmp_path / 'data.json').stat().st_size > 2 * MANY
    content = collected(path)
    assert content['more'] == long and content['last'] == [123]


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '{"info": [{"id": 1}',
        '{"info": [{"id": 1},',
        '{"info": [{"id": 1}]',
        '{"info": [{"id": 1}] "annotations": []}',
        '{"images": [}',
        '{"images"}',
        '{3: 4}',
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
    with pytest.raises(UserError, match='is not a COCO annotation file, or it is cut'):
        read_coco_file(str(path))


def test_cut_off_anywhere(data, tmp_path):
    text = json.dumps(data)
    path = tmp_path / 'data.json'
    for length in range(0, len(text), 13):
        path.write_text(text[:length])
        with pytest.raises(UserError, match='cut off'):
            read_coco_file(str(path))


def test_objects_that_are_used_are_those_that_mmdet_uses(data, tmp_path):
    """Peer: MMDetection's own data set, on boxes of all kinds."""
    rng = np.random.default_rng(0)
    kinds = [
        dict(area=0),
        dict(ignore=True),
        dict(ignore=1),
        dict(iscrowd=1),
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
    first = data['annotations'][0]
    data['annotations'] = [
        dict(first, id=i + 1, image_id=i % 6, **kind) for i, kind in enumerate(kinds)
    ]
    path = write(data, tmp_path)
    read = read_coco_file(path)
    mmdets = CocoDataset(
        ann_file=path,
        data_prefix=dict(img=''),
        metainfo=dict(classes=read.classes),
        pipeline=[],
        test_mode=True,
    )
    expected = [len(info['instances']) for info in map(mmdets.get_data_info, range(6))]
    used = np.bincount(read.images[read.is_used], minlength=6)
    assert used.tolist() == expected and 20 < sum(expected) < 100
    found = check_objects(read)
    assert found['unknown-category'].ids == [5]
    assert found['box-outside'].ids[:2] == [6, 7]


def test_a_correct_file_has_nothing_to_warn_of(data, tmp_path):
    assert warnings_of(data, tmp_path) == []
    read = read_coco_file(write(data, tmp_path))
    assert read.classes == ("l'été", '猫') and read.labels.tolist() == [0, 1] * 3
    assert str(read) == '6 images, 6 objects of 2 classes, with masks'
    assert read.object_sizes() == pytest.approx(600**0.5)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda d: d.pop('images'), 'has no images'),
        (lambda d: d.update(annotations=[]), 'has no annotations'),
        (lambda d: d.update(categories=[]), 'has no categories'),
        (lambda d: d['images'][0].pop('width'), 'entry 1 of "images" has no \'width\''),
        (lambda d: d['images'][1].update(height=0), 'entry 2 of "images" is wrong'),
        (lambda d: d['images'].append(3), 'entry 7 of "images" is wrong: 3'),
        (lambda d: d['annotations'][0].pop('area'), "has no 'area'"),
        (
            lambda d: d['annotations'][0].update(bbox=[1, 2, 3]),
            '"annotations" is wrong',
        ),
        (
            lambda d: d['annotations'][0].update(bbox=[1, 2, 3, float('nan')]),
            'is wrong',
        ),
        (lambda d: d['annotations'][0].update(id=[1]), '"annotations" is wrong'),
        (
            lambda d: d['annotations'][1].update(id=1),
            '1 of 6 objects have the id of another (id 1)',
        ),
        (
            lambda d: d['images'][1].update(id=0),
            '1 of 6 images have the id of another (id 0)',
        ),
        (
            lambda d: d['categories'][1].update(id=7),
            '1 of 2 categories have the id of another (id 7)',
        ),
        (
            lambda d: d['categories'][1].update(name="l'été"),
            "1 of 2 categories have the name of another (l'été)",
        ),
        (lambda d: d['categories'][1].update(name=3), '"categories" is wrong'),
        (lambda d: d['images'][3].update(file_name='x.png'), '1 of 6 images'),
        (lambda d: d['images'][3].update(file_name='a/3.png'), 'folder that a/ is in'),
        (
            lambda d: [a.update(category_id=9) for a in d['annotations']],
            '6 of 6 objects have a category_id that no category has',
        ),
        (
            lambda d: [a.update(image_id='0') for a in d['annotations']],
            '6 of 6 objects have an image_id that no image has',
        ),
        (
            lambda d: [a.update(bbox=[0.1, 0.1, 0.5, 0.5]) for a in d['annotations']],
            '6 of 6 objects have boxes between 0 and 1',
        ),
        (
            lambda d: [a.update(bbox=[30, 20, 55, 38]) for a in d['annotations']],
            'the boxes look like x1, y1, x2, y2',
        ),
        (
            lambda d: [i.update(width=40, height=60) for i in d['images']],
            '6 of 6 images have another size',
        ),
        (
            lambda d: d['annotations'][0].update(category_id=9),
            '1 of 6 objects have a category_id that no category has (id 1: 9)',
        ),
        (
            lambda d: d['annotations'][0].update(image_id='0'),
            "1 of 6 objects have an image_id that no image has (id 1: '0')",
        ),
        (lambda d: d['images'][0].update(width=61), '1 of 6 images have another size'),
    ],
)
def test_what_no_training_can_succeed_with(data, tmp_path, change, message):
    change(data)
    assert message in error_of(data, tmp_path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda d: d['annotations'].pop(), '1 of 6 images have no object'),
        (
            lambda d: d['categories'].append(dict(id=1, name='x')),
            '1 of 3 categories have no objects (x)',
        ),
        (lambda d: d['annotations'][0].update(id=0), '1 of 6 objects have the id 0'),
    ],
)
def test_what_makes_results_worse(data, tmp_path, change, message):
    change(data)
    assert any(message in warning for warning in warnings_of(data, tmp_path))


def test_pycocotools_never_finds_the_object_with_the_id_0(data, tmp_path, capsys):
    """What the warning is about: perfect detections have an AP below 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    precision = []
    for first_id in (1, 0):
        for i, entry in enumerate(data['annotations']):
            entry['id'] = first_id + i
        truth = COCO(write(data, tmp_path))
        found = truth.loadRes(
            [
                dict({k: a[k] for k in ('image_id', 'category_id', 'bbox')}, score=0.9)
                for a in data['annotations']
            ]
        )
        evaluation = COCOeval(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        precision.append(evaluation.stats[0])
    assert precision[0] == pytest.approx(1) and precision[1] < 0.9


def test_images_as_mmdetection_reads_them(data, tmp_path):
    """OpenCV turns pixels by EXIF's orientation, and reads no text."""
    rotated = Image.Exif()
    rotated[0x0112] = 6
    for i in range(6):
        Image.new('RGB', (60, 40)).save(tmp_path / f'{i}.png', 'jpeg', exif=rotated)
    assert cv2.imread(str(tmp_path / '0.png')).shape[:2] == (60, 40)
    assert '0.png is 40 x 60, in the file 60 x 40' in error_of(data, tmp_path)
    for text, reason in (('', 'empty'), ('no image', 'no image')):
        (tmp_path / '2.png').write_text(text)
        assert f'cannot be read (2.png: {reason})' in error_of(data, tmp_path)


def test_images_in_subfolders_and_no_folder(data, tmp_path):
    (tmp_path / 'a').mkdir()
    for i in (0, 1):
        shutil.move(tmp_path / f'{i}.png', tmp_path / 'a')
        data['images'][i]['file_name'] = f'a/{i}.png'
    assert warnings_of(data, tmp_path) == []
    with pytest.raises(UserError, match='folder of images .*none does not exist'):
        check_coco_file(read_coco_file(write(data, tmp_path)), str(tmp_path / 'none'))


@pytest.mark.parametrize(
    ('categories', 'message'),
    [
        ([dict(id=1, name="l'été")], 'without 猫'),
        (
            [dict(id=i, name=n) for i, n in enumerate('ab')],
            "without l'été, 猫 and with",
        ),
        ([dict(id=3, name='猫'), dict(id=7, name="l'été")], 'in another order'),
    ],
)
def test_validation_of_other_classes(data, tmp_path, categories, message):
    train = read_coco_file(write(data, tmp_path))
    val = read_coco_file(write(dict(data, categories=categories), tmp_path, 'val.json'))
    with pytest.raises(UserError, match=message):
        check_same_classes(train, val)
    check_same_classes(train, train)
