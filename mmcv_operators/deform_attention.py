"""Multi-scale deformable attention (Zhu et al., Deformable DETR, ICLR 2021)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .sampling import sample


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_loc: Tensor,
    attn_weight: Tensor,
    im2col_step: int,
) -> Tensor:
    """Returns the weighted sums of the samples of all levels.

    Args:
        value (Tensor): The pixels of all levels, shape (N, S, heads, C).
        spatial_shapes (Tensor): Height and width of each level, shape (L, 2).
        level_start_index (Tensor): Where each level starts in the S pixels, shape (L,).
        sampling_loc (Tensor): Column and row of each sample, from 0 to 1, shape
            (N, queries, heads, L, P, 2).
        attn_weight (Tensor): Shape (N, queries, heads, L, P).
        im2col_step (int): mmcv's; nothing is done with it here.

    Returns:
        Tensor: Shape (N, queries, heads * C).
    """
    total: Tensor | float = 0.0
    for tensors, size in _points(
        value, spatial_shapes, level_start_index, sampling_loc, attn_weight
    ):
        total = total + _of_point(size, *tensors)
    assert isinstance(total, Tensor)
    return total.flatten(2)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_loc: Tensor,
    attn_weight: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Adds gradients to the three tensors of that name.

    The other arguments are those of :func:`ms_deform_attn_forward`.
    """
    levels = (spatial_shapes, level_start_index)
    grad = grad_output.view(*sampling_loc.shape[:3], -1)
    for (tensors, size), (gradients, _) in zip(
        _points(value, *levels, sampling_loc, attn_weight),
        _points(grad_value, *levels, grad_sampling_loc, grad_attn_weight),
    ):
        with torch.enable_grad():
            leaves: Any = [tensor.detach().requires_grad_() for tensor in tensors]
            out = _of_point(size, *leaves)
        for gradient, found in zip(gradients, torch.autograd.grad(out, leaves, grad)):
            gradient += found


def _points(
    value: Tensor, shapes: Tensor, starts: Tensor, places: Tensor, weights: Tensor
) -> Iterator[tuple[tuple[Tensor, Tensor, Tensor], tuple[int, int]]]:
    """Yields views for each sample of a query, and the height and width of its level.

    The views are of the level's pixels, the places and the weights.
    """
    sizes = zip(shapes.tolist(), starts.tolist())
    for level, ((height, width), start) in enumerate(sizes):
        pixels = value[:, start : start + height * width]
        for point in range(places.shape[4]):
            tensors = (
                pixels,
                places[:, :, :, level, point],
                weights[..., level, point],
            )
            yield tensors, (height, width)


def _of_point(
    size: tuple[int, int], pixels: Tensor, places: Tensor, weights: Tensor
) -> Tensor:
    """Returns what one sample adds to the output, shape (N, queries, heads, C)."""
    height, width = size
    number, queries, heads, _ = places.shape
    maps = pixels.permute(0, 2, 3, 1).reshape(number * heads, -1, height, width)
    x, y = places.transpose(1, 2).flatten(0, 1).unbind(-1)
    samples = sample(maps, y * height - 0.5, x * width - 0.5)
    samples = samples.view(number, heads, -1, queries).permute(0, 3, 1, 2)
    return samples * weights[..., None]
