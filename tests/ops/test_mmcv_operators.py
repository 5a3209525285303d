"""mmcv's compiled operators are there, for every device."""

import torch
from mmcv.ops import nms, roi_align


def test_nms(device):
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    kept, indices = nms(boxes, torch.tensor([0.7, 0.9, 0.8]), 0.5)
    assert indices.tolist() == [1, 2]
    assert kept.device.type == device.type


def test_roi_align(device):
    """On a ramp, whose pixel 0 has its middle at 0.5, a bin has the value of its
    own middle: the samples lie around it."""
    image = torch.arange(8.0).repeat(1, 2, 8, 1)
    rois = torch.tensor([[0.0, 1, 1, 5, 5]])
    crops = roi_align(image, rois, 4, 1.0, 2, 'avg', True)
    middles = torch.tensor([1.5, 2.5, 3.5, 4.5]) - 0.5
    torch.testing.assert_close(crops, middles.expand(1, 2, 4, 4))
    assert crops.device.type == device.type
