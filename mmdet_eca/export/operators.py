"""Operators of mmcv that ONNX has, too.

torch's exporter asks each function here for its operators (``symbolic``) and runs
``forward`` to learn the outputs' types.
"""

from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmcv.ops import nms as mmcv_nms
from torch import Tensor
from torch.autograd import Function


def nms(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> Tensor:
    """Selects boxes; those of the same group suppress each other.

    Groups are told apart as by mmcv's ``batched_nms``: each is shifted beyond the
    others, so that one NonMaxSuppression sorts all boxes by their scores.

    Args:
        boxes (Tensor): Corners x1, y1, x2, y2 in pixels, of shape (N, 4).
        scores (Tensor): Scores (N,).
        groups (Tensor): Class or level of each box, of shape (N,).
        iou_threshold (float): Boxes that overlap more suppress each other.
        limit (int): The most boxes that are left; all, if it is not positive.

    Returns:
        Tensor: The indices of at most ``limit`` boxes, from the highest score down.
    """
    # The zero is for no boxes at all, which have no greatest coordinate.
    coordinates = torch.cat([boxes.reshape(-1), boxes.new_zeros(1)])
    shift = groups.to(boxes) * (coordinates.max() + 1)
    shifted = boxes + shift[:, None]
    return _NonMaxSuppression.apply(shifted, scores, iou_threshold, limit)


def roi_align(features: Tensor, rois: Tensor, layer: RoIAlign) -> Tensor:
    """Pools the features inside RoIs by averaging.

    Args:
        features (Tensor): The features of one image, of shape (1, C, H, W).
        rois (Tensor): Corners x1, y1, x2, y2 in pixels of the image, shape (K, 4).
        layer (RoIAlign): mmcv's layer: size, stride and sampling of the output.

    Returns:
        Tensor: Features of shape (K, C, *layer.output_size).
    """
    # The exporter follows tensors, numbers and tuples, but no object among them.
    numbers = (layer.spatial_scale, layer.sampling_ratio, layer.aligned)
    return _RoiAlign.apply(features, rois, tuple(layer.output_size), *numbers)


def largest(values: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Returns the ``limit`` largest values of (N,), in order, and their indices.

    All, if there are fewer or ``limit`` is not positive.
    """
    return _TopK.apply(values, limit)


class _NonMaxSuppression(Function):
    @staticmethod
    def forward(
        ctx: Any, boxes: Tensor, scores: Tensor, iou_threshold: float, limit: int
    ) -> Tensor:
        return mmcv_nms(boxes, scores, iou_threshold, max_num=limit)[1]

    @staticmethod
    def symbolic(
        g: Any, boxes: Any, scores: Any, iou_threshold: float, limit: int
    ) -> Any:
        selected = g.op(
            'NonMaxSuppression',
            _reshape(g, boxes, 1, -1, 4),
            _reshape(g, scores, 1, 1, -1),
            _constant(g, [limit if limit > 0 else 2**31 - 1]),
            _constant(g, [float(iou_threshold)]),
        )
        # Its rows are image, class and box.
        box = g.op('Gather', selected, _constant(g, [2]), axis_i=1)
        return _reshape(g, box, -1)


class _RoiAlign(Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        rois: Tensor,
        size: tuple[int, int],
        scale: float,
        sampling_ratio: int,
        aligned: bool,
    ) -> Tensor:
        layer = RoIAlign(size, scale, sampling_ratio, aligned=aligned)
        return layer(features, torch.cat([rois.new_zeros(len(rois), 1), rois], dim=1))

    @staticmethod
    def symbolic(
        g: Any,
        features: Any,
        rois: Any,
        size: tuple[int, int],
        scale: float,
        sampling_ratio: int,
        aligned: bool,
    ) -> Any:
        # The index of each RoI's image: zero.
        count = g.op('Gather', g.op('Shape', rois), _constant(g, [0]), axis_i=0)
        images = g.op('ConstantOfShape', count, value_t=torch.tensor([0]))
        mode = 'half_pixel' if aligned else 'output_half_pixel'
        return g.op(
            *('RoiAlign', features, rois, images),
            coordinate_transformation_mode_s=mode,
            mode_s='avg',
            output_height_i=size[0],
            output_width_i=size[1],
            sampling_ratio_i=max(0, sampling_ratio),
            spatial_scale_f=scale,
        )


class _TopK(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        ordered, indices = values.sort(descending=True, stable=True)
        end: int | None = limit if limit > 0 else None
        return ordered[:end], indices[:end]

    @staticmethod
    def symbolic(g: Any, values: Any, limit: int) -> Any:
        count = g.op('Shape', values)
        if limit > 0:
            count = g.op('Min', count, _constant(g, [limit]))
        return g.op('TopK', values, count, axis_i=0, largest_i=1, outputs=2)


def _constant(g: Any, value: list) -> Any:
    return g.op('Constant', value_t=torch.tensor(value))


def _reshape(g: Any, value: Any, *shape: int) -> Any:
    return g.op('Reshape', value, _constant(g, list(shape)))
