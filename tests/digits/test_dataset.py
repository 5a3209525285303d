import filecmp
import json
import os

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from pycocotools.coco import COCO

from mmdet_eca import UserError, config_path
from mmdet_eca.digits import DIGITS_CLASSES, make_digits
from mmdet_eca.digits.composition import (
    SCENES,
    Instance,
    _background,
    _draw_bars,
    compose,
    split_glyphs,
)
from mmdet_eca.digits.dataset import annotate
from mmdet_eca.pretraining import check_classes


def files_of(folder):
    return sorted(
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, names in os.walk(folder)
        for name in names
    )


def crops_of(folder):
    return [name for name in files_of(folder) if name.endswith('.png')]


def test_all_digits_are_used_and_no_glyph_twice():
    from sklearn.datasets import load_digits

    train, val = split_glyphs(seed=3)
    as_bytes = [{image.tobytes() for image in split.images} for split in (train, val)]
    assert not as_bytes[0] & as_bytes[1]
    assert len(train.images) + len(val.images) == len(load_digits().images)
    assert set(val.labels) == set(train.labels) == set(range(10))


def test_same_seed_same_files_another_seed_others(tmp_path):
    one, same, other = (str(tmp_path / name) for name in 'abc')
    make_digits(one, 3, 2, seed=1)
    make_digits(same, 3, 2, seed=1)
    make_digits(other, 3, 2, seed=2)
    names = files_of(one)
    assert len(names) == 3 + 2 + 2 + len(crops_of(one))
    assert names == files_of(same)
    _, differing, errors = filecmp.cmpfiles(one, same, names, shallow=False)
    assert not differing and not errors
    equal, _, _ = filecmp.cmpfiles(one, other, names, shallow=False)
    assert not equal


def test_annotations_are_cocos(digits):
    for split, count in (('train', 8), ('val', 4)):
        coco = COCO(f'{digits}/annotations/instances_{split}.json')
        assert len(coco.getImgIds()) == count
        assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == list(
            DIGITS_CLASSES
        )
        for annotation in coco.loadAnns(coco.getAnnIds()):
            info = coco.loadImgs(annotation['image_id'])[0]
            pixels = cv2.imread(f'{digits}/{split}/{info["file_name"]}')
            assert pixels.shape[:2] == (info['height'], info['width'])
            mask = coco.annToMask(annotation)
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation['bbox']
            # Tips one pixel wide have an outline, but no area.
            edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            box = (left, top, left + width, top + height)
            assert np.abs(np.subtract(edges, box)).max() <= 3
            # Rasterised outlines are up to half a pixel wider than polygons.
            outline = sum(len(s) / 2 for s in annotation['segmentation'])
            assert abs(mask.sum() - annotation['area']) <= outline


def test_crops_are_the_annotated_digits(digits):
    """One file an annotation, in the folder of its class; in its middle the box,
    the longer side of which is 40 / 1.2 pixels then."""
    for split in ('train', 'val'):
        coco = COCO(f'{digits}/annotations/instances_{split}.json')
        annotations = coco.loadAnns(coco.getAnnIds())
        assert [name for name in crops_of(digits) if f'/{split}/' in name] == sorted(
            f'crops/{split}/{a["category_id"] - 1}/{a["id"]:05d}.png'
            for a in annotations
        )
        for a in annotations:
            image = cv2.imread(f'{digits}/{split}/{a["image_id"]:06d}.jpg')
            left, top, width, height = a['bbox']
            scale = 40 / 1.2 / max(width, height)
            box = cv2.resize(
                image[top : top + height, left : left + width],
                None,
                fx=scale,
                fy=scale,
                interpolation=cv2.INTER_LINEAR,
            )
            crop = cv2.imread(
                f'{digits}/crops/{split}/{a["category_id"] - 1}/{a["id"]:05d}.png'
            )
            assert crop.shape == (40, 40, 3)
            rows, columns = (40 - box.shape[0]) // 2, (40 - box.shape[1]) // 2
            found = cv2.matchTemplate(crop, box, cv2.TM_CCOEFF_NORMED)
            assert found[rows : rows + 2, columns : columns + 2].max() > 0.85


def test_pretraining_reads_the_crops(tmp_path):
    out = str(tmp_path / 'digits')
    make_digits(out, 30, 30)
    cfg = Config.fromfile(config_path('digits/eca_resnet50_digits.py'))
    for split, loader in (('train', cfg.train_dataloader), ('val', cfg.val_dataloader)):
        assert loader.dataset.root == f'data/digits/crops/{split}'
        loader.dataset.root = f'{out}/crops/{split}'
        dataset = DATASETS.build(loader.dataset)
        assert dataset.classes == DIGITS_CLASSES
        assert len(dataset) == sum(f'/{split}/' in name for name in crops_of(out))
        assert dataset[0]['inputs'].shape == (32, 32, 3)
    check_classes(cfg)


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


@pytest.mark.parametrize('scene', SCENES)
def test_a_scene_has_its_color_and_its_digits(scene):
    glyphs, _ = split_glyphs(seed=0)
    rng = np.random.default_rng(0)
    composed = [compose(glyphs, rng, scene) for _ in range(30)]
    labels = {one.label for _, instances in composed for one in instances}
    assert labels == set(scene.labels)
    grounds = [_background(rng, scene).mean(axis=(0, 1)) for _ in range(30)]
    distances = [
        [np.linalg.norm(ground - other.color) for other in SCENES] for ground in grounds
    ]
    nearest = np.argmin(distances, axis=1) == SCENES.index(scene)
    assert nearest.mean() > 0.7  # by its mean alone
    for _, instances in composed:
        taken = sum(instance.mask.astype(int) for instance in instances)
        assert taken.max() == 1
        for instance in instances:
            assert annotate(instance)['area'] > 0


def test_each_digit_occurs_in_two_scenes():
    counts = np.bincount([label for scene in SCENES for label in scene.labels])
    assert counts.tolist() == [2] * 10


def test_what_bars_cover_belongs_to_no_digit():
    covered = 0
    for seed in range(30):
        image = np.zeros((160, 240, 3), np.float32)
        masks = np.zeros((2, 160, 240), bool)
        masks[0, 20:60, 20:60] = masks[1, 100:112, 100:104] = True
        instances = [Instance(number, mask) for number, mask in enumerate(masks)]
        after = _draw_bars(image, instances, np.random.default_rng(seed))
        bars = image.any(axis=2)
        for instance, mask in zip(after, masks):
            assert np.array_equal(instance.mask, mask & ~bars)
            assert instance.mask.sum() >= mask.sum() / 2
            covered += (mask & bars).any()
    assert covered > 30


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
    with pytest.raises(UserError, match="does not hold .* 'scenes': True"):
        make_digits(out, 2, 1, scenes=True)
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
