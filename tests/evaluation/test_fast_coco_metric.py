"""MMDetection's metric and ours, from the network's output to what is printed."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

from mmdet_eca.digits import DIGITS_CLASSES
from mmdet_eca.evaluation import FastCocoMetric


@pytest.fixture(scope='module')
def truth(digits):
    return f'{digits}/annotations/instances_val.json'


@pytest.fixture(scope='module')
def samples(truth):
    """What a detector might find in Digits-COCO, as it hands it to a metric: each
    object moved and enlarged a few times, of other classes too, in all but one image.
    """
    data = json.loads(Path(truth).read_text())
    rng = np.random.default_rng(0)
    found = []
    for image in data['images']:
        height, width = image['height'], image['width']
        boxes, labels, scores = [], [], []
        for thing in data['annotations']:
            if thing['image_id'] != image['id']:
                continue
            x, y, w, h = thing['bbox']
            for copy in range(4):
                box = np.array([x, y, x + w, y + h])
                boxes.append(box + rng.normal(0, copy, 4))
                wrong = rng.random() < 0.2
                labels.append(rng.integers(10) if wrong else thing['category_id'] - 1)
                scores.append(rng.choice([0.3, 0.5, 0.6, 0.9]))
        if image is data['images'][1]:
            boxes = []
        boxes = torch.tensor(np.array(boxes).reshape(-1, 4), dtype=torch.float32)
        n = len(boxes)
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        x1, y1, x2, y2 = boxes.round().T[:, :, None, None]
        masks = (rows >= y1) & (rows < y2) & (columns >= x1) & (columns < x2)
        predicted = dict(
            bboxes=boxes,
            labels=torch.tensor(labels[:n], dtype=torch.int64),
            scores=torch.tensor(scores[:n], dtype=torch.float32),
            masks=masks.reshape(n, height, width),
        )
        objects = [
            dict(
                bbox=[x, y, x + w, y + h],
                bbox_label=thing['category_id'] - 1,
                ignore_flag=thing['iscrowd'],
            )
            for thing in data['annotations']
            for x, y, w, h in [thing['bbox']]
            if thing['image_id'] == image['id']
        ]
        found.append(
            dict(
                img_id=image['id'],
                ori_shape=(height, width),
                instances=objects,
                pred_instances=predicted,
            )
        )
    return found


def evaluate(kind, samples, capsys, **options):
    """All that is returned, printed and logged, without the times."""
    metric = METRICS.build(dict(type=kind, **options))
    metric.dataset_meta = dict(classes=DIGITS_CLASSES)
    for sample in samples:
        metric.process({}, [sample])
    kept = deepcopy(metric.results)
    capsys.readouterr()
    figures = metric.evaluate(size=len(samples))
    printed = capsys.readouterr().out.splitlines()
    # Of pycocotools' lines, and the table of the classes.
    return kept, figures, [row for row in printed if ' = ' in row or row[:1] == '|']


def assert_equal(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            assert_equal(a, b)
    else:
        np.testing.assert_array_equal(one, other)  # NaN is NaN


@pytest.mark.parametrize(
    'options',
    [
        dict(metric=['bbox', 'segm'], classwise=True),
        dict(metric=['bbox', 'proposal']),
        dict(metric='proposal', proposal_nums=(1, 3, 10), metric_items=['AR@300']),
        dict(metric='bbox', iou_thrs=np.array([0.5, 0.75, 0.9])),
        dict(metric='segm', metric_items=['mAP_s', 'AR_m@1000']),
        dict(metric='bbox', ann_file=None, prefix='other'),  # objects of the samples
    ],
    ids='-'.join,
)
def test_the_same_with_every_option(samples, truth, options, capsys):
    options = {'ann_file': truth, **options}
    expected = evaluate('CocoMetric', samples, capsys, **options)
    got = evaluate('FastCocoMetric', samples, capsys, **options)
    for one, other in zip(expected, got):
        assert_equal(one, other)
    _, figures, printed = got
    assert len(printed) >= 12 and 0.1 < max(figures.values()) <= 1


def test_several_processes_are_not_needed(samples, truth, capsys):
    _, expected, _ = evaluate('CocoMetric', samples, capsys, ann_file=truth)
    options = dict(ann_file=truth, use_mp_eval=True)
    assert evaluate('FastCocoMetric', samples, capsys, **options)[1] == expected


def test_nothing_found(samples, truth, capsys):
    """MMDetection says so and gives no figures."""
    nothing = deepcopy(samples)
    for sample in nothing:
        found = sample['pred_instances']
        sample['pred_instances'] = {key: value[:0] for key, value in found.items()}
    for kind in ('CocoMetric', 'FastCocoMetric'):
        assert evaluate(kind, nothing, capsys, ann_file=truth)[1] == {}


def test_the_metric_of_others_is_left_as_it_was(samples, truth, capsys):
    module = CocoMetric.compute_metrics.__globals__
    before = {name: module[name] for name in ('COCOeval', 'COCOevalMP', 'load', 'dump')}
    evaluate('FastCocoMetric', samples, capsys, ann_file=truth)
    assert before == {name: module[name] for name in before}
    assert issubclass(FastCocoMetric, CocoMetric)
