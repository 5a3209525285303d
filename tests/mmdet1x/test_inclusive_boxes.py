"""MMDetection 1.x's arithmetic, written here from its definition."""

import math

import cv2
import numpy as np
import pytest
import torch
from mmcv.ops import nms
from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.mmdet1x import (
    InclusiveBoxCoder,
    InclusiveCocoMetric,
    InclusiveMaskHead,
    InclusiveRoIExtractor,
)

STRIDES = (4, 8, 16, 32)


def decode_1x(box, delta, height, width):
    """The ends of a box are its first and last pixel."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1 + 1, y2 - y1 + 1
    x, y = (x1 + x2) / 2 + w * delta[0], (y1 + y2) / 2 + h * delta[1]
    limit = abs(math.log(16 / 1000))
    w *= math.exp(np.clip(delta[2], -limit, limit))
    h *= math.exp(np.clip(delta[3], -limit, limit))
    ends = (x - w / 2 + 0.5, y - h / 2 + 0.5, x + w / 2 - 0.5, y + h / 2 - 0.5)
    return np.clip(ends, 0, (width - 1, height - 1, width - 1, height - 1))


def boxes(number, width=200, height=160, seed=0):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, (width - 40, height - 40), (number, 2))
    size = rng.uniform(0, 1, (number, 2)) ** 3 * (width - 60, height - 60)
    return np.concatenate([start, np.minimum(start + size, (width - 1, height - 1))], 1)


def test_boxes_are_decoded_to_their_last_pixel():
    old, rng = boxes(50), np.random.default_rng(1)
    deltas = rng.normal(0, 1, (50, 3 * 4))
    stds = (0.1, 0.1, 0.2, 0.2)
    new = InclusiveBoxCoder(target_stds=stds).decode(
        torch.tensor(old), torch.tensor(deltas), max_shape=(160, 200)
    )
    for box, delta, decoded in zip(old, deltas, new.numpy()):
        for k in range(3):
            expected = decode_1x(box, delta[4 * k : 4 * k + 4] * stds, 160, 200)
            np.testing.assert_allclose(decoded[4 * k : 4 * k + 4], expected)


def test_what_is_encoded_is_decoded():
    coder = InclusiveBoxCoder(target_stds=(0.1, 0.1, 0.2, 0.2))
    old, new = torch.tensor(boxes(20)), torch.tensor(boxes(20, seed=1))
    torch.testing.assert_close(
        coder.decode(old, coder.encode(old, new).double()), new, rtol=0, atol=1e-3
    )


def roi_align_1x(feature, roi, stride, size):
    """1.x's RoIAlign with two samples a side, (C, size, size)."""
    channels, height, width = feature.shape
    x1, y1, x2, y2 = roi[0], roi[1], roi[2] + 1, roi[3] + 1
    cells = np.stack([np.maximum(x2 - x1, 0), np.maximum(y2 - y1, 0)]) / (stride * size)
    pooled = np.zeros((channels, size, size))
    for row in range(2 * size):
        for column in range(2 * size):
            x = x1 / stride + (column + 0.5) / 2 * cells[0]
            y = y1 / stride + (row + 0.5) / 2 * cells[1]
            if x > width or y > height:
                continue
            x, y = min(x, width - 1), min(y, height - 1)
            left, top = int(x), int(y)
            right = min(left + 1, width - 1)
            bottom = min(top + 1, height - 1)
            value = (
                feature[:, top, left] * (1 - x + left) * (1 - y + top)
                + feature[:, top, right] * (x - left) * (1 - y + top)
                + feature[:, bottom, left] * (1 - x + left) * (y - top)
                + feature[:, bottom, right] * (x - left) * (y - top)
            )
            pooled[:, row // 2, column // 2] += value / 4
    return pooled


def test_roi_features_follow_the_true_width():
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(3, 320 // s, 480 // s)) for s in STRIDES]
    rois = np.concatenate(
        [
            boxes(12, 480, 320),
            [[10, 10, 10, 10], [20, 30, 21.5, 30.2]],  # less than a cell
            [[0, 0, 110.5, 110.5]],  # 111.5 pixels: the first level without the +1
            [[0, 0, 111, 111]],  # 112 pixels: the second level
        ]
    )
    extractor = InclusiveRoIExtractor(
        dict(type='RoIAlign', output_size=7, sampling_ratio=2), 3, STRIDES
    )
    pooled = extractor(
        [torch.tensor(f)[None] for f in features],
        torch.tensor(np.concatenate([np.zeros((len(rois), 1)), rois], 1)),
    )
    levels = set()
    for roi, found in zip(rois, pooled.numpy()):
        area = (roi[2] - roi[0] + 1) * (roi[3] - roi[1] + 1)
        level = int(np.clip(math.floor(math.log2(math.sqrt(area) / 56 + 1e-6)), 0, 3))
        levels.add(level)
        np.testing.assert_allclose(
            found, roi_align_1x(features[level], roi, STRIDES[level], 7), atol=1e-9
        )
    assert {0, 1} <= levels


def test_nms_counts_the_last_pixel():
    """Two boxes that overlap by less than half, and by half with the +1."""
    a, b = [0, 0, 9, 9], [0, 0, 19, 9]  # 10x10 in 20x10 pixels: IoU 0.5
    scores = torch.tensor([0.9, 0.8])
    kept = {
        offset: len(nms(torch.tensor([a, b]).float(), scores, 0.48, offset=offset)[1])
        for offset in (0, 1)
    }
    assert kept == {0: 2, 1: 1}
    for detector in ('faster_rcnn', 'mask_rcnn', 'retinanet'):
        cfg = Config.fromfile(
            config_path(f'legacy/{detector}_eca_r50_fpn_1x.py')
        ).model.test_cfg
        for part in cfg.values() if 'rcnn' in cfg else [cfg]:
            assert part.nms.offset == 1


@pytest.mark.parametrize('rescale', [True, False])
def test_masks_are_resized_to_whole_pixels(rescale):
    rng = np.random.default_rng(0)
    head = InclusiveMaskHead(num_classes=3)
    logits = rng.normal(size=(6, 3, 28, 28)).astype(np.float32)
    labels = [0, 1, 2, 0, 1, 2]
    old = boxes(6, 200, 160).astype(np.float32)
    old[0] = [190.3, 150.2, 199, 159]
    scale = 2.0 if rescale else 1.0
    given = torch.tensor(old)
    masks = head._predict_by_feat_single(
        torch.tensor(logits),
        given,
        torch.tensor(labels),
        dict(ori_shape=(80, 100), img_shape=(160, 200), scale_factor=(2.0, 2.0)),
        dict(mask_thr_binary=0.5),
        rescale,
    )
    np.testing.assert_allclose(given, old / scale)  # in place, as mmdet's head
    assert masks.shape == ((6, 80, 100) if rescale else (6, 160, 200))
    for mask, logit, label, box in zip(masks.numpy(), logits, labels, old / scale):
        x1, y1, x2, y2 = box.astype(int)
        expected = np.zeros(mask.shape, bool)
        expected[y1 : y2 + 1, x1 : x2 + 1] = (
            cv2.resize(1 / (1 + np.exp(-logit[label])), (x2 - x1 + 1, y2 - y1 + 1))
            > 0.5
        )
        assert (mask != expected).mean() < 1e-4  # rounding at the threshold
    assert masks.flatten(1).any(1).sum() >= 4


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_masks_of_half_precision_are_those_of_their_values(dtype):
    """OpenCV knows neither; both are exact in float32."""
    logits = torch.randn(6, 3, 28, 28).to(dtype)
    masks = [
        InclusiveMaskHead(num_classes=3)._predict_by_feat_single(
            probabilities,
            torch.tensor(boxes(6)).float(),
            torch.tensor([0, 1, 2, 0, 1, 2]),
            dict(ori_shape=(160, 200), img_shape=(160, 200)),
            dict(mask_thr_binary=0.5),
            activate_map=True,
        )
        for probabilities in (logits.sigmoid(), logits.sigmoid().float())
    ]
    assert torch.equal(*masks) and masks[0].flatten(1).any(1).sum() >= 4


def test_evaluation_counts_the_last_pixel():
    metric = InclusiveCocoMetric.__new__(InclusiveCocoMetric)
    assert metric.xyxy2xywh(np.array([2.0, 3.0, 11.0, 13.0])) == [2, 3, 10, 11]
