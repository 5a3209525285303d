import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from mmcv.ops import RoIAlign, batched_nms
from torch import nn

from mmdet_eca.export import operators


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def in_onnxruntime(function, *example):
    """The function with ONNX's operators, for any first dimension."""
    names = [f'in{i}' for i in range(len(example))]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            Call(function),
            example,
            file,
            input_names=names,
            dynamic_axes={name: {0: name} for name in names},
            opset_version=16,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(file.getvalue())

    def call(*args):
        inputs = {name: value.numpy() for name, value in zip(names, args)}
        return [torch.from_numpy(out) for out in session.run(None, inputs)]

    return call


def boxes_and_scores(count):
    corners = torch.rand(count, 2) * 80
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2) * 40], dim=1)
    return boxes, torch.rand(count), torch.randint(0, 3, (count,))


@pytest.mark.parametrize('limit', [-1, 7])
def test_nms_leaves_what_mmcv_leaves(limit):
    def function(*args):
        return operators.nms(*args, iou_threshold=0.4, limit=limit)

    exported = in_onnxruntime(function, *boxes_and_scores(9))
    for count in (1, 5, 200):
        boxes, scores, groups = boxes_and_scores(count)
        nms = dict(type='nms', iou_threshold=0.4)
        _, expected = batched_nms(boxes, scores, groups, nms)
        expected = expected[: limit if limit > 0 else None]
        assert count < 200 or len(expected) < 150  # some suppress others
        assert torch.equal(function(boxes, scores, groups), expected)
        assert torch.equal(exported(boxes, scores, groups)[0], expected)


def test_nms_of_boxes_without_an_area_and_of_none():
    def function(*args):
        return operators.nms(*args, iou_threshold=0.5, limit=10)

    exported = in_onnxruntime(function, *boxes_and_scores(4))
    points = torch.tensor([[3.0, 3, 3, 3], [3, 3, 3, 3], [0, 0, 5, 5], [0, 0, 5, 5]])
    scores = torch.tensor([0.4, 0.3, 0.2, 0.0])
    one_group = torch.zeros(4, dtype=torch.long)
    for results in (
        function(points, scores, one_group),
        *exported(points, scores, one_group),
    ):
        assert results.tolist() == [0, 1, 2]
    for results in (function(*boxes_and_scores(0)), *exported(*boxes_and_scores(0))):
        assert results.shape == (0,)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_is_mmcvs(sampling_ratio, aligned):
    layer = RoIAlign((3, 5), 0.25, sampling_ratio, aligned=aligned)

    def function(rois, features):
        return operators.roi_align(features[:1], rois, layer)

    features = torch.randn(1, 4, 12, 16)
    rois = torch.tensor(
        [
            [3.0, 5, 40, 30],
            [-20, -9, 30, 12],  # beyond the left and the top
            [50, 40, 90, 70],  # beyond the right and the bottom
            [200, 200, 240, 230],  # outside
            [7, 7, 7, 7],  # a point
            [1, 2, 1.5, 60],  # a stripe
        ]
    )
    exported = in_onnxruntime(function, rois[:2], features)
    for some in (rois, rois[:1], rois[:0]):
        images = some.new_zeros(len(some), 1)
        expected = layer(features, torch.cat([images, some], dim=1))
        torch.testing.assert_close(function(some, features), expected)
        (out,) = exported(some, features)
        assert out.shape == expected.shape
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('limit', [-1, 5])
def test_largest_are_the_first_in_order(limit):
    def function(values):
        return operators.largest(values, limit)

    exported = in_onnxruntime(function, torch.rand(8))
    for count in (0, 3, 5, 40):
        values = torch.rand(count)
        order = np.argsort(-values.numpy())[: limit if limit > 0 else None]
        for found, index in (function(values), exported(values)):
            assert index.tolist() == order.tolist()
            assert torch.equal(found, values[index])
