"""RoIAlign on the CPU, for feature maps whose channels are last in memory.

mmcv's takes one channel after the other, on one thread. But an output, of all channels,
is a sum of a few pixels with weights that are a product of one for the row and one for
the column. Such sums are what torch's ``embedding_bag`` computes, on all threads, and
their gradient too.
"""

from collections.abc import Iterator
from typing import NamedTuple

import mmcv.ops
import torch
from torch import Tensor
from torch.nn import functional as F

from .tracing import is_compiling

_MOST = 2**25  # summands of a call: above it, mmcv's takes less memory


class ChannelsLastRoIAlign(mmcv.ops.RoIAlign):
    """mmcv's RoIAlign, on the CPU by :func:`roi_align` where that can be.

    It cannot with maxima instead of means, in half precision, with boxes that mmcv
    refuses, and while the network is traced.
    """

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """As :func:`roi_align`, with this layer's settings."""
        out = None
        if (
            self.pool_mode == 'avg'
            and not self.use_torchvision
            and input.device.type == 'cpu'
            and input.dtype in (torch.float32, torch.float64)
            and not is_compiling()
            and not torch.jit.is_tracing()
        ):
            out = roi_align(
                input,
                rois,
                self.output_size,
                self.spatial_scale,
                self.sampling_ratio,
                self.aligned,
            )
        if out is None:
            # mmcv's operators do not look at the memory format.
            out = super().forward(input.contiguous(), rois.contiguous())
        return out


def roi_align(
    x: Tensor,
    rois: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor | None:
    """RoIAlign (He et al., Mask R-CNN), with the arguments and results of mmcv's.

    Args:
        x (Tensor): Shape (N, C, H, W), in either memory format.
        rois (Tensor): Shape (R, 5): the image's number, left, top, right, bottom.
        output_size (tuple[int]): Rows and columns of the output.
        spatial_scale (float): Pixels of ``x`` in one of the boxes' units.
        sampling_ratio (int): Samples in a row of a bin; 0 takes one a pixel.
        aligned (bool): Whether a pixel's value is that of its centre.

    Returns:
        Tensor: Shape (R, C, *output_size), channels last in memory. None without
        boxes, if one ends before it starts, and if they are so large that the sums
        would take much memory.
    """
    _, channels, height, width = x.shape
    with torch.no_grad():
        corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
        starts, sides = corners[:, :2], corners[:, 2:] - corners[:, :2]
        if not len(rois) or not bool((sides >= 0).all()):
            return None
        if not aligned:
            sides = sides.clamp(min=1)
        bins = sides / sides.new_tensor(output_size[::-1])
        if _memory(bins, output_size) > _MOST:
            return None
        samples = bins.ceil()
        if sampling_ratio > 0:
            samples = torch.full_like(bins, sampling_ratio)
        axes = [
            _axis(starts[:, i], bins[:, i], samples[:, i], output_size[1 - i], size)
            for i, size in enumerate((width, height))
        ]
        sums = _sums(rois[:, 0].long(), (height, width), *axes)
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    out = F.embedding_bag(
        sums.pixels, pixels, sums.starts, mode='sum', per_sample_weights=sums.weights
    )
    return out.view(-1, *output_size, channels)[sums.order].permute(0, 3, 1, 2)


class _Axis(NamedTuple):
    """What the bins of each box are sums of, in one direction.

    Attributes:
        first (Tensor): The first pixel of each bin, shape (R, bins).
        weights (Tensor): Of the pixels from there on, shape (R, bins, K).
        spans (Tensor): How many of the K have weights, in some bin, shape (R,).
    """

    first: Tensor
    weights: Tensor
    spans: Tensor


def _memory(bins: Tensor, output_size: tuple[int, int]) -> float:
    """At most so many summands, or samples in one direction, are held at once."""
    rows, columns = output_size
    pixels = bins + 2
    return max(
        float(pixels.prod(1).sum()) * rows * columns,
        float(pixels.max()) * len(bins) * max(rows, columns),
    )


def _axis(start: Tensor, bin: Tensor, samples: Tensor, bins: int, size: int) -> _Axis:
    """Adds up the weights of linear interpolation at the samples of every bin.

    Args:
        start (Tensor): Where the boxes start, in pixels, shape (R,).
        bin (Tensor): The length of their bins, shape (R,).
        samples (Tensor): How many samples a bin has, shape (R,).
        bins (int): How many bins a box has.
        size (int): Height or width of the map.
    """
    start, bin = start[:, None], bin[:, None]
    last = samples[:, None].clamp(min=1)
    number = torch.arange(int(last.max()), dtype=start.dtype)
    steps = (torch.minimum(number, last - 1) + 0.5) * bin / last
    at = (start + torch.arange(bins) * bin)[:, :, None] + steps[:, None]
    # Outside of the map, a pixel and more away from it, there is nothing.
    counts = (at >= -1) & (at <= size) & (number < samples[:, None])[:, None]
    at = at.clamp(0, size - 1)
    low = at.floor()
    share = (at - low) * counts / last[:, None]
    place = (low - low[..., :1]).long()
    spans = place[..., -1].amax(1) + 2
    weights = at.new_zeros(*at.shape[:2], int(spans.max()))
    weights.scatter_add_(2, place, counts / last[:, None] - share)
    weights.scatter_add_(2, place + 1, share)
    return _Axis(low[..., 0].long(), weights, spans)


class _Sums(NamedTuple):
    """All outputs as sums, those of one box after the other.

    Attributes:
        pixels (Tensor): The number of each summand's pixel in the batch.
        weights (Tensor): Its weight.
        starts (Tensor): Where the sum of each output starts in them.
        order (Tensor): Where the sums of each box are, shape (R,).
    """

    pixels: Tensor
    weights: Tensor
    starts: Tensor
    order: Tensor


def _sums(images: Tensor, size: tuple[int, int], columns: _Axis, rows: _Axis) -> _Sums:
    """The sums of boxes in these images, whose maps have this height and width."""
    height, width = size
    pixels, weights, lengths, order = [], [], [], []
    for row_span, column_span, boxes in _groups(rows.spans, columns.spans):
        row = rows.first[boxes, :, None] + torch.arange(row_span)
        column = columns.first[boxes, :, None] + torch.arange(column_span)
        # The weight of the pixel after the last one is 0.
        row = images[boxes, None, None] * height + row.clamp(max=height - 1)
        column = column.clamp(max=width - 1)
        pixel = row[:, :, None, :, None] * width + column[:, None, :, None, :]
        weight = (
            rows.weights[boxes, :, None, :row_span, None]
            * columns.weights[boxes, None, :, None, :column_span]
        )
        pixels.append(pixel.flatten())
        weights.append(weight.flatten())
        sums = pixel[..., 0, 0].numel()
        lengths.append(torch.full((sums,), row_span * column_span))
        order.append(boxes)
    ends = torch.cat(lengths).cumsum(0)
    return _Sums(
        torch.cat(pixels),
        torch.cat(weights),
        ends - torch.cat(lengths),
        torch.cat(order).argsort(),
    )


def _groups(*spans: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Boxes that have the same spans: rows, columns, and which boxes."""
    pairs, group = torch.stack(spans, 1).unique(dim=0, return_inverse=True)
    for number, (rows, columns) in enumerate(pairs.tolist()):
        yield rows, columns, (group == number).nonzero()[:, 0]
