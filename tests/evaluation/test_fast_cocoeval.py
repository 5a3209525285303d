"""Every figure of pycocotools, on whatever is found."""

import sys
import types
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_util
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_eca import UserError
from mmdet_eca.evaluation import FastCOCOeval, FastCocoMetric

HEIGHT, WIDTH = 48, 64


def polygon(box):
    """Around a box (x1, y1, x2, y2)."""
    x1, y1, x2, y2 = map(float, box)
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def annotation(number, image, category, box, crowd=0):
    x1, y1, x2, y2 = box
    segmentation = polygon(box)
    if crowd:
        (segmentation,) = mask_util.frPyObjects(segmentation, HEIGHT, WIDTH)
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        bbox=[x1, y1, x2 - x1, y2 - y1],
        area=float((x2 - x1) * (y2 - y1)),
        iscrowd=crowd,
        segmentation=segmentation,
    )


def detections(found, iou_type):
    """(box, label, score) by image id as a file of results has them."""
    rows = []
    for image, of_image in found.items():
        for box, label, score in of_image:
            x1, y1, x2, y2 = box
            shape = dict(bbox=[x1, y1, x2 - x1, y2 - y1])
            if iou_type == 'segm':
                (mask,) = mask_util.frPyObjects(polygon(box), HEIGHT, WIDTH)
                shape = dict(segmentation=mask)
            ids = dict(image_id=image, category_id=CATEGORIES[label])
            rows.append(dict(ids, score=score, **shape))
    return rows


def evaluate(kind, data, found, iou_type, **params):
    coco = COCO()
    coco.dataset = deepcopy(data)
    coco.createIndex()
    evaluation = kind(coco, coco.loadRes(deepcopy(found)), iou_type)
    for name, value in params.items():
        setattr(evaluation.params, name, value)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def assert_same(data, found, **params):
    """Returns pycocotools' evaluations, by boxes and by masks."""
    evaluations = {}
    for iou_type in ('bbox', 'segm'):
        rows = detections(found, iou_type)
        one, other = (
            evaluate(kind, data, rows, iou_type, **params)
            for kind in (COCOeval, FastCOCOeval)
        )
        for name in ('precision', 'recall', 'scores'):
            expected, got = one.eval[name], other.eval[name]
            assert expected.shape == got.shape
            # One detection: pycocotools divides by 1 + 2e-16.
            atol = 3e-16 if name == 'precision' else 0
            np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
        np.testing.assert_allclose(other.stats, one.stats, rtol=0, atol=1e-12)
        evaluations[iou_type] = one
    return evaluations


# A grid of few places and scores: many duplicates, and IoUs and scores that are equal.
BOXES = st.tuples(
    st.integers(0, 5), st.integers(0, 5), st.integers(1, 6), st.integers(1, 6)
).map(lambda v: (6 * v[0], 4 * v[1], 6 * v[0] + 5 * v[2], 4 * v[1] + 3 * v[3]))
CATEGORIES = (3, 7, 12)  # the last has no objects
OBJECTS = st.lists(
    st.tuples(
        BOXES,
        st.sampled_from(CATEGORIES[:2]),
        st.sampled_from([0, 0, 0, 1]),
        # Areas that do not follow from the box, at the limits too.
        st.sampled_from([None, 32**2, 32**2 + 1, 96**2, 1e5]),
    ),
    max_size=5,
)
FOUND = st.lists(
    st.tuples(BOXES, st.integers(0, 2), st.sampled_from([0.1, 0.5, 0.5, 0.9])),
    max_size=12,
)
IMAGES = st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=4)
LIMITS = st.sampled_from([(1, 10, 100), (2, 3, 4), (100, 300, 1000)])


@settings(max_examples=60, deadline=None)
@given(images=IMAGES, limits=LIMITS, use_classes=st.booleans(), ids=st.randoms())
def test_generated_detections(images, limits, use_classes, ids):
    data = dict(images=[], annotations=[], categories=[])
    data['categories'] = [dict(id=i, name=str(i)) for i in CATEGORIES]
    found = {}
    for objects, detections in images:
        image = ids.randrange(1, 10**9)
        data['images'].append(dict(id=image, height=HEIGHT, width=WIDTH))
        found[image] = detections
        for box, category, crowd, area in objects:
            number = 10 * len(data['annotations']) + ids.randrange(1, 10)
            thing = annotation(number, image, category, box, crowd)
            data['annotations'].append(thing | dict(area=area or thing['area']))
    if not any(found.values()):
        return  # pycocotools' loadRes knows no empty list; see the metric's tests
    assert_same(data, found, maxDets=list(limits), useCats=int(use_classes))


@pytest.fixture
def two_images():
    """Objects with and without detections of their class, and the other way round."""
    data = dict(
        images=[dict(id=i, height=HEIGHT, width=WIDTH) for i in (1, 2)],
        categories=[dict(id=i, name=str(i)) for i in CATEGORIES],
        annotations=[
            annotation(1, 1, 3, (2, 2, 30, 20)),
            annotation(2, 1, 3, (30, 20, 60, 40), crowd=1),
            annotation(3, 2, 7, (10, 10, 40, 40)),
        ],
    )
    found = {
        1: [
            ((2, 2, 30, 21), 0, 0.9),
            ((33, 22, 50, 38), 0, 0.8),
            ((34, 22, 50, 38), 0, 0.8),
        ],
        2: [((10, 12, 40, 40), 1, 0.7), ((5, 5, 9, 9), 2, 0.95)],
    }
    return data, found


def test_a_single_detection_is_where_the_sum_differs(two_images):
    """The precision 1 / (1 + 2e-16) of the class 3, nothing that is printed."""
    data, found = two_images
    evaluations = assert_same(data, found)
    assert evaluations['bbox'].eval['precision'].max() == 1 - 2.0**-52
    assert 0.5 < evaluations['bbox'].stats[0] < 1


@pytest.mark.parametrize('number', [0, -5, 2**60])
def test_ids_of_objects_that_the_package_does_not_know(two_images, number):
    """pycocotools counts all but 0."""
    data, found = two_images
    data['annotations'][0]['id'] = number
    ap = assert_same(data, found)['bbox'].stats[0]
    assert (ap > 0.5) == (number != 0)


def test_ids_of_images_that_are_strings(two_images):
    data, found = two_images
    for entry in data['images']:
        entry['id'] = f'image {entry["id"]}'
    for thing in data['annotations']:
        thing['image_id'] = f'image {thing["image_id"]}'
    found = {f'image {number}': rows for number, rows in found.items()}
    assert assert_same(data, found)['segm'].stats[0] > 0.5


def test_some_images_classes_and_thresholds(two_images):
    data, found = two_images
    assert_same(
        data, found, imgIds=[2, 1, 2], catIds=[7, 12, 3, 7], iouThrs=np.array([0.5, 1])
    )
    assert_same(data, found, imgIds=[1], catIds=[3], areaRng=[[0, 1e10]] * 4)


def test_an_epoch_later_it_is_the_same(two_images):
    """The objects' masks have become RLE, as pycocotools leaves them."""
    data, found = two_images
    coco = COCO()
    coco.dataset = data
    coco.createIndex()
    stats = []
    for _ in range(2):
        rows = coco.loadRes(detections(found, 'segm'))
        evaluation = FastCOCOeval(coco, rows, 'segm')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        stats.append(evaluation.stats)
    np.testing.assert_array_equal(*stats)
    assert set(data['annotations'][0]['segmentation']) == {'size', 'counts'}
    assert 'rle' not in data['annotations'][0]


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'faster_coco_eval', None)
    with pytest.raises(UserError, match=r'mmdet_eca\[evaluation\]'):
        FastCocoMetric()
    old = types.ModuleType('faster_coco_eval')
    old.__version__ = '1.5.7'
    monkeypatch.setitem(sys.modules, 'faster_coco_eval', old)
    with pytest.raises(UserError, match=r'1\.5\.7.*1\.7\.2'):
        FastCocoMetric()
