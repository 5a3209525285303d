"""RoIPool (Girshick, Fast R-CNN, ICCV 2015): the maxima of the pixels in each bin.

As in mmcv, boxes are not rounded to pixels first; each bin has all pixels that it
touches.
"""

import torch
from torch import Tensor

_MOST = 2**22  # values that are held at once


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fills ``output`` with maxima, and ``argmax`` with where they are.

    Args:
        input (Tensor): Shape (N, C, H, W).
        rois (Tensor): Shape (R, 5): the image's number, left, top, right, bottom; the
            last column and row are those at ``right`` and ``bottom``.
        output (Tensor): Shape (R, C, pooled_height, pooled_width). A bin outside of the
            map, and each bin of a box without an area, is 0.
        argmax (Tensor): The same shape: row * W + column, or -1 if a bin is empty.
        pooled_height (int): Rows of the output.
        pooled_width (int): Columns of the output.
        spatial_scale (float): Pixels of the map in one of the boxes' units.
    """
    _, channels, height, width = input.shape
    images = rois[:, 0].long()
    boxes = rois.detach().float() if rois.element_size() == 2 else rois.detach()
    starts = boxes[:, 1:3] * spatial_scale
    sides = (boxes[:, 3:] + 1) * spatial_scale - starts
    rows, row_counts = _pixels(starts[:, 1], sides[:, 1], pooled_height, height)
    columns, column_counts = _pixels(starts[:, 0], sides[:, 0], pooled_width, width)
    has_area = (sides > 0).all(1)
    output.zero_()
    argmax.fill_(-1)
    # Boxes of about the same size are taken at once.
    spans = row_counts.amax(1) * column_counts.amax(1)
    order = spans.argsort()
    order = order[has_area[order] & (spans[order] > 0)]
    while len(order):
        most = int(spans[order[-1]]) * channels * pooled_height * pooled_width
        number = max(1, _MOST // most)
        order, part = order[:-number], order[-number:]
        row, row_exists = _steps(rows[part], row_counts[part], height)
        column, column_exists = _steps(columns[part], column_counts[part], width)
        # (boxes, bins * rows, bins * columns, channels), since indices come first.
        values = input[
            images[part, None, None],
            :,
            row.flatten(1)[:, :, None],
            column.flatten(1)[:, None],
        ]
        values = values.view(*row.shape, *column.shape[1:], channels)
        exists = row_exists[:, :, :, None, None] & column_exists[:, None, None]
        values = values.masked_fill(~exists[..., None], -torch.inf)
        best, index = values.permute(0, 5, 1, 3, 2, 4).flatten(4).max(-1)
        step = column.shape[2]
        at = [
            places.expand(*index.shape, -1).gather(-1, number[..., None])[..., 0]
            for places, number in (
                (row[:, None, :, None], index // step),
                (column[:, None, None], index % step),
            )
        ]
        found = best > torch.finfo(input.dtype).min
        output[part] = torch.where(found, best, 0).to(output.dtype)
        argmax[part] = torch.where(found, at[0] * width + at[1], -1).to(argmax.dtype)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Adds the gradient of the maps to ``grad_input``, of shape (N, C, H, W).

    The arguments are those of :func:`roi_pool_forward`.
    """
    _, channels, height, width = grad_input.shape
    planes = rois[:, 0, None].long() * channels + torch.arange(
        channels, device=rois.device
    )
    index = planes[:, :, None, None] * (height * width) + argmax.clamp(min=0)
    share = torch.where(argmax >= 0, grad_output, 0).to(grad_input.dtype)
    total = torch.zeros(
        grad_input.numel(), dtype=grad_input.dtype, device=grad_input.device
    )
    total.index_add_(0, index.flatten(), share.flatten())
    grad_input += total.view(grad_input.shape)


def _pixels(start: Tensor, side: Tensor, bins: int, size: int) -> tuple[Tensor, Tensor]:
    """Returns the first pixel of each bin and how many it has, shape (R, bins)."""
    bin = (side / bins)[:, None]
    number = torch.arange(bins, device=start.device, dtype=start.dtype)
    first = (number * bin + start[:, None]).floor().clamp(0, size).long()
    end = ((number + 1) * bin + start[:, None]).ceil().clamp(0, size).long()
    return first, (end - first).clamp(min=0)


def _steps(first: Tensor, counts: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Returns the pixels of each bin, and which of them there are, (R, bins, K)."""
    numbers = torch.arange(int(counts.max()), device=first.device)
    at = (first[..., None] + numbers).clamp(max=size - 1)
    return at, numbers < counts[..., None]
