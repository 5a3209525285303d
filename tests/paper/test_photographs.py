"""The two data sets of photographs, and which detectors are compared on them."""

import json
import os

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from pycocotools.coco import COCO

from mmdet_eca import UserError
from mmdet_eca.paper import PHOTOGRAPHS
from mmdet_eca.paper.photographs import NUCLEI_VAL, make_photographs

ROWS = PHOTOGRAPHS.rows()
XML = """<annotation><size><width>64</width><height>48</height></size>
<object><name>WBC</name><bndbox><xmin>1</xmin><ymin>11</ymin><xmax>31</xmax>
<ymax>21</ymax></bndbox></object>
<object><name>RBC</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>5</xmax>
<ymax>6</ymax></bndbox></object></annotation>"""


def write_bccd(folder):
    sets = {'trainval': ['b', 'c'], 'test': ['a']}
    for name in ('ImageSets/Main', 'Annotations', 'JPEGImages'):
        (folder / 'BCCD' / name).mkdir(parents=True)
    for part, names in sets.items():
        text = ''.join(f'{name}\n' for name in names)
        (folder / 'BCCD' / 'ImageSets' / 'Main' / f'{part}.txt').write_text(text)
        for name in names:
            (folder / 'BCCD' / 'Annotations' / f'{name}.xml').write_text(XML)
            image = np.zeros((48, 64, 3), np.uint8)
            cv2.imwrite(str(folder / 'BCCD' / 'JPEGImages' / f'{name}.jpg'), image)


def test_bccd_becomes_coco_files(tmp_path):
    write_bccd(tmp_path / 'clone')
    said = make_photographs('bccd', str(tmp_path / 'clone'), str(tmp_path / 'out'))
    assert 'train 2 images with 4 objects, val 1 images with 2 objects' in said
    coco = COCO(tmp_path / 'out' / 'annotations' / 'train.json')
    assert [image['file_name'] for image in coco.imgs.values()] == ['b.jpg', 'c.jpg']
    cell, other = coco.loadAnns(coco.getAnnIds(2))
    # The first pixel of Pascal VOC is (1, 1).
    assert (cell['bbox'], cell['area'], cell['category_id']) == (
        [0, 10, 30, 10],
        300,
        2,
    )
    assert other['bbox'] == [4, 5, 0, 0]
    assert sorted(os.listdir(tmp_path / 'out' / 'val')) == ['a.jpg']


def test_nuclei_become_coco_files(tmp_path):
    folder = tmp_path / 'clone' / 'stage1_train'
    for number in range(335):
        images, masks = (
            folder / f'{number:03}' / 'images',
            folder / f'{number:03}/masks',
        )
        images.mkdir(parents=True)
        masks.mkdir()
        # The first is of another size, as many are.
        size = (256, 320) if number == 0 else (256, 256)
        cv2.imwrite(str(images / 'a.png'), np.zeros(size, np.uint8))
        mask = np.zeros(size, np.uint8)
        mask[10:20, 30:35] = 255
        mask[10, 30] = 0
        cv2.imwrite(str(masks / 'b.png'), mask)
    out = tmp_path / 'out'
    said = make_photographs('nuclei', str(tmp_path / 'clone'), str(out))
    assert 'train 246 images with 246 objects, val 88 images with 88 objects' in said
    coco = COCO(out / 'annotations' / 'val.json')
    assert set(coco.imgs) == NUCLEI_VAL
    assert {image['file_name'] for image in coco.imgs.values()} == {
        *os.listdir(out / 'val')
    }
    [nucleus] = coco.loadAnns(coco.getAnnIds(331))
    assert (nucleus['bbox'], nucleus['area']) == ([30, 10, 5, 10], 49)
    assert coco.annToMask(nucleus)[10, 30:36].tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('bccd', ['trainval.txt', 'BCCD_Dataset']),
        ('nuclei', ['has 0 images', 'lopuhin']),
    ],
)
def test_a_folder_that_is_no_clone_is_named(tmp_path, name, words):
    with pytest.raises(UserError) as error:
        make_photographs(name, str(tmp_path), str(tmp_path / 'out'))
    assert all(word in str(error.value) for word in (str(tmp_path), *words))
    assert not (tmp_path / 'out').exists()


def test_nothing_is_written_of_half_a_clone(tmp_path):
    write_bccd(tmp_path / 'clone')
    (tmp_path / 'clone' / 'BCCD' / 'JPEGImages' / 'c.jpg').unlink()
    with pytest.raises(UserError, match=r'c\.jpg does not exist'):
        make_photographs('bccd', str(tmp_path / 'clone'), str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()


def test_what_is_there_is_kept(tmp_path):
    write_bccd(tmp_path / 'clone')
    with pytest.raises(UserError, match='is there already'):
        make_photographs('bccd', str(tmp_path / 'clone'), str(tmp_path))


@pytest.mark.parametrize('group', {row.group: None for row in ROWS})
def test_rows_of_a_group_differ_in_their_attention_only(group):
    recipes, attention = [], []
    for row in (row for row in ROWS if row.group == group):
        cfg = Config.fromfile(row.config)
        backbone = cfg.model.backbone
        attention.append((backbone.pop('type'), backbone.pop('attention', None)))
        recipes.append(json.dumps(cfg.to_dict(), default=str))
    assert attention == [
        ('AttentionEfficientNetLite', None),
        ('AttentionEfficientNetLite', dict(type='SqueezeExcitation', ratio=4)),
        ('ECAEfficientNetLite', None),
    ]
    assert recipes == recipes[:1] * 3


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_a_row_has_its_data_set_in_every_part(row):
    cfg = Config.fromfile(row.config)
    root = f'data/{row.name.rpartition("_")[2]}/'
    for part, images in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{part}_dataloader'].dataset
        assert (dataset.data_root, dataset.ann_file, dataset.data_prefix.img) == (
            root,
            f'annotations/{images}.json',
            f'{images}/',
        )
        if part != 'train':
            assert cfg[f'{part}_evaluator'].ann_file == root + dataset.ann_file
