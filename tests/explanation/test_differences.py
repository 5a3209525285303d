"""What one detector finds and the other does not, against pycocotools and by hand."""

import numpy as np
import pytest
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_eca.explanation import compare, match

NONE = np.zeros((0, 4))


def instances(bboxes, labels, scores):
    return InstanceData(bboxes=bboxes, labels=labels, scores=scores)


def objects(rng, number, jitter_of=None):
    """Random objects; with ``jitter_of`` most are near those."""
    boxes = rng.uniform(0, 60, (number, 4))
    boxes[:, 2:] = boxes[:, :2] + rng.uniform(8, 40, (number, 2))
    labels = rng.integers(0, 2, number)
    if jitter_of is not None:
        near = rng.integers(0, len(jitter_of), number)
        boxes = jitter_of.bboxes[near] + rng.normal(0, 3, (number, 4))
        labels = np.where(rng.random(number) < 0.8, jitter_of.labels[near], labels)
    return instances(boxes, labels, np.sort(rng.random(number))[::-1])


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize('seed', range(8))
def test_pairs_are_those_of_the_rule(seed):
    rng = np.random.default_rng(seed)
    others = objects(rng, 6)
    found = objects(rng, 12, others)
    taken, expected = set(), []
    for i in range(12):
        choices = [
            (overlap(found.bboxes[i], others.bboxes[j]), j)
            for j in range(6)
            if j not in taken and found.labels[i] == others.labels[j]
        ]
        best, j = max(choices, default=(0, -1))
        expected.append(j if best >= 0.5 else -1)
        taken.add(expected[-1])
    partners = match(found, others)
    assert partners.tolist() == expected
    assert (partners >= 0).any() and (partners < 0).any()


@pytest.mark.parametrize('seed', range(4))
def test_right_is_what_coco_counts_as_right(seed):
    rng = np.random.default_rng(seed)
    truth, crowd = objects(rng, 6), objects(rng, 1)
    found = objects(rng, 12, truth)
    found.bboxes[5:7] = crowd.bboxes  # neither right nor wrong
    found.labels[5:7] = crowd.labels

    def rows(of, **more):
        return [
            dict(
                id=i + 1,
                image_id=1,
                category_id=int(label),
                bbox=[*map(float, (*box[:2], *(box[2:] - box[:2])))],
                area=float(np.prod(box[2:] - box[:2])),
                iscrowd=0,
                **more,
            )
            for i, (box, label) in enumerate(zip(of.bboxes, of.labels))
        ]

    coco = COCO()
    coco.dataset = dict(
        images=[dict(id=1)],
        categories=[dict(id=0), dict(id=1)],
        annotations=[*rows(truth), dict(rows(crowd)[0], id=99, iscrowd=1)],
    )
    coco.createIndex()
    results = [dict(row, score=float(s)) for row, s in zip(rows(found), found.scores)]
    evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
    evaluation.params.iouThrs = np.array([0.5])
    evaluation.evaluate()
    expected = {}
    for image in evaluation.evalImgs[:: len(evaluation.params.areaRng)]:
        for i, matched, ignored in zip(
            image['dtIds'], image['dtMatches'][0], image['dtIgnore'][0]
        ):
            expected[i - 1] = None if ignored else bool(matched)
    side, _ = compare(found, objects(rng, 0), truth, crowd.bboxes)
    for i, verdict in enumerate(side.right):
        # A crowd ignores detections of its class; that of a data set sample does of
        # any, since MMDetection keeps no more than its box apart.
        if not (verdict is None and found.labels[i] != crowd.labels[0]):
            assert verdict == expected[i], i
    assert {True, False, None} == set(side.right)


def test_each_side_says_what_only_it_has():
    first = instances(
        np.array([[0, 0, 10, 10], [20, 20, 30, 30.0]]),
        np.array([1, 2]),
        np.array([0.9, 0.8]),
    )
    second = instances(np.array([[0, 0, 10, 9.0]]), np.array([1]), np.array([0.7]))
    truth = instances(first.bboxes[1:], first.labels[1:], np.ones(1))
    one, other = compare(first, second, truth, NONE)
    assert one.shared.tolist() == [True, False] and other.shared.tolist() == [True]
    assert one.right == [False, True] and other.right == [False]
    assert one.only_here() == {True: 1, False: 0, None: 0}
    assert sum(other.only_here().values()) == 0
    unknown, _ = compare(first, second, None, NONE)
    assert unknown.only_here() == {True: 0, False: 0, None: 1}
    nothing, _ = compare(second, instances(NONE, np.zeros(0), np.zeros(0)), truth, NONE)
    assert nothing.shared.tolist() == [False]
