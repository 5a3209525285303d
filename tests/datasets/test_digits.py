import filecmp
import json
import os

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmdet_eca import UserError
from mmdet_eca.datasets import DIGITS_CLASSES, make_digits
from mmdet_eca.datasets.digits import (Instance, annotate, compose,
                                       split_glyphs)


def files_of(folder):
    return sorted(
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, names in os.walk(folder) for name in names)


def test_all_digits_are_used_and_no_glyph_twice():
    from sklearn.datasets import load_digits
    train, val = split_glyphs(seed=3)
    as_bytes = [{image.tobytes() for image in split.images}
                for split in (train, val)]
    assert not as_bytes[0] & as_bytes[1]
    assert len(train.images) + len(val.images) == len(load_digits().images)
    assert set(val.labels) == set(train.labels) == set(range(10))


def test_same_seed_same_files_another_seed_others(tmp_path):
    one, same, other = (str(tmp_path / name) for name in 'abc')
    make_digits(one, 3, 2, seed=1)
    make_digits(same, 3, 2, seed=1)
    make_digits(other, 3, 2, seed=2)
    names = files_of(one)
    assert len(names) == 3 + 2 + 2
    _, differing, errors = filecmp.cmpfiles(one, same, names, shallow=False)
    assert not differing and not errors
    _, differing, _ = filecmp.cmpfiles(one, other, names, shallow=False)
    assert len(differing) == len(names)


def test_annotations_are_cocos(digits):
    for split, count in (('train', 8), ('val', 4)):
        coco = COCO(f'{digits}/annotations/instances_{split}.json')
        assert len(coco.getImgIds()) == count
        assert [c['name'] for c in coco.loadCats(coco.getCatIds())
                ] == list(DIGITS_CLASSES)
        for annotation in coco.loadAnns(coco.getAnnIds()):
            info = coco.loadImgs(annotation['image_id'])[0]
            pixels = cv2.imread(f'{digits}/{split}/{info["file_name"]}')
            assert pixels.shape[:2] == (info['height'], info['width'])
            mask = coco.annToMask(annotation)
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation['bbox']
            # Tips one pixel wide have an outline, but no area.
            edges = (columns.min(), rows.min(), columns.max() + 1,
                     rows.max() + 1)
            box = (left, top, left + width, top + height)
            assert np.abs(np.subtract(edges, box)).max() <= 3
            # Rasterised outlines are up to half a pixel wider than polygons.
            outline = sum(len(s) / 2 for s in annotation['segmentation'])
            assert abs(mask.sum() - annotation['area']) <= outline


def test_sizes_overlap_and_place():
    glyphs, _ = split_glyphs(seed=0)
    rng = np.random.default_rng(0)
    sides, areas, overlapped = [], [], 0
    for _ in range(150):
        image, instances = compose(glyphs, rng)
        assert image.dtype == np.uint8 and image.shape == (160, 240, 3)
        assert 1 <= len(instances) <= 9
        taken = sum(instance.mask.astype(int) for instance in instances)
        assert taken.max() == 1  # a pixel belongs to the digit on top
        for instance in instances:
            annotation = annotate(instance)
            left, top, width, height = annotation['bbox']
            assert left >= 0 and left + width <= 240
            assert top >= 0 and top + height <= 160
            sides.append(np.sqrt(width * height))
            areas.append(annotation['area'])
            overlapped += len(annotation['segmentation']) > 1
    assert min(sides) < 14 and max(sides) > 110
    areas = np.array(areas)
    for low, high in ((0, 32**2), (32**2, 96**2), (96**2, np.inf)):  # COCO's
        assert ((areas >= low) & (areas < high)).any()
    assert overlapped


def test_annotation_of_a_rectangle():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 5:35] = True
    annotation = annotate(Instance(label=7, mask=mask))
    assert annotation['category_id'] == 8
    assert annotation['bbox'] == [5, 10, 30, 10]
    assert annotation['area'] == 29 * 9  # of the polygon through pixel centers


def test_nothing_is_done_twice_and_nothing_overwritten(tmp_path):
    out = str(tmp_path / 'digits')
    make_digits(out, 2, 1)
    before = os.stat(f'{out}/train/000001.jpg').st_mtime_ns
    assert make_digits(out, 2, 1).endswith('is there already.')
    assert os.stat(f'{out}/train/000001.jpg').st_mtime_ns == before
    with pytest.raises(UserError, match='exists and does not hold'):
        make_digits(out, 2, 2)
    with pytest.raises(UserError, match='exists and does not hold'):
        make_digits(str(tmp_path), 2, 1)
    assert os.listdir(tmp_path) == ['digits']


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, 'dump', interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_digits(str(tmp_path / 'digits'), 2, 1)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('counts', [(0, 1), (1, -1)])
def test_wrong_counts_are_named(tmp_path, counts):
    with pytest.raises(UserError, match='must be at least 1, got'):
        make_digits(str(tmp_path / 'digits'), *counts)
