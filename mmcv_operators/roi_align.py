"""RoIAlign (He et al., Mask R-CNN, ICCV 2017): means or maxima of samples in boxes.

A sample is interpolated between four pixels. So a mean, of all channels, is a sum of
some pixels with weights that are a product of one for the row and one for the column.
torch's ``embedding_bag`` computes such sums on all threads, and their gradient.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .kernels import works

# Summands, or values, that are held at once: about 20 MB.
_MOST = 2**20
# Channels whose pixels are copied at once, if they are not last in memory.
_CHANNELS = 64


class Grid(NamedTuple):
    """The arguments of RoIAlign beside maps and boxes.

    Attributes:
        output_size (tuple[int, int]): Rows and columns of the output.
        spatial_scale (float): Pixels of the map in one of the boxes' units.
        sampling_ratio (int): Samples in a row of a bin; 0 takes one a pixel.
        aligned (bool): Whether a pixel's value is that of its centre.
    """

    output_size: tuple[int, int]
    spatial_scale: float
    sampling_ratio: int
    aligned: bool


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fills ``output``, and for maxima ``argmax_y`` and ``argmax_x``.

    Args:
        input (Tensor): Shape (N, C, H, W), in either memory format.
        rois (Tensor): Shape (R, 5): the image's number, left, top, right, bottom.
        output (Tensor): Shape (R, C, aligned_height, aligned_width), in either format.
        argmax_y (Tensor): Row of each maximum, in the shape of ``output``; else empty.
        argmax_x (Tensor): Column of each maximum, the same.
        aligned_height (int): Rows of the output.
        aligned_width (int): Columns of the output.
        spatial_scale (float): See :class:`Grid`.
        sampling_ratio (int): See :class:`Grid`.
        pool_mode (int): 0 takes maxima, 1 means.
        aligned (bool): See :class:`Grid`.

    Raises:
        RuntimeError: On the CPU, if a box ends before it starts and ``aligned``, as in
            mmcv. Elsewhere it has no samples: its means are 0.
    """
    grid = Grid((aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    if pool_mode == 0:
        _maxima(input, rois, grid, output, argmax_y, argmax_x)
    elif _is_torchvisions(input):
        output.copy_(_torchvision(input, rois, grid))
    else:
        means(input, rois, grid, output)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Adds the gradient of the maps to ``grad_input``, of shape (N, C, H, W).

    The arguments are those of :func:`roi_align_forward`.
    """
    grid = Grid((aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    if pool_mode == 0:
        _add_maxima_gradient(grad_output, rois, argmax_y, argmax_x, grad_input)
    elif _is_torchvisions(grad_output):
        with torch.enable_grad():  # RoIAlign is linear: its gradient is the same at 0
            zeros = torch.zeros_like(grad_input).requires_grad_()
            out = _torchvision(zeros, rois, grid)
        grad_input += torch.autograd.grad(out, zeros, grad_output)[0]
    else:
        add_means_gradient(grad_output, rois, grid, grad_input)


def means(x: Tensor, rois: Tensor, grid: Grid, out: Tensor) -> None:
    """Fills ``out``, of shape (R, C, rows, columns), with the means in each box."""
    for images, boxes, sums in _sums_of_images(x.shape, rois, grid):
        for part in _channel_slices(x):
            # A pixel's channels side by side; no copy, if they are.
            pixels = x[images, part].permute(0, 2, 3, 1).flatten(0, 2).contiguous()
            found = sums.of(pixels).view(len(boxes), *grid.output_size, -1)
            out[boxes, part] = found.permute(0, 3, 1, 2).to(out.dtype)


def add_means_gradient(
    grad_out: Tensor, rois: Tensor, grid: Grid, grad_x: Tensor
) -> None:
    """Adds the gradient of :func:`means` to ``grad_x``, of shape (N, C, H, W).

    The gradient of a pixel is the sum over the outputs that it is a summand of, with
    the same weights.
    """
    for images, boxes, sums in _sums_of_images(grad_x.shape, rois, grid):
        shape = grad_x[images, 0].shape
        transposed = sums.transposed(shape.numel())
        for part in _channel_slices(grad_x):
            grad = grad_out[boxes, part].permute(0, 2, 3, 1).flatten(0, 2)
            found = transposed.of(grad).unflatten(0, shape).permute(0, 3, 1, 2)
            if grad_x.stride(1) != 1:  # transposed first, which adding would do slowly
                found = found.contiguous()
            grad_x[images, part] += found.to(grad_x.dtype)


def _channel_slices(x: Tensor) -> list[slice]:
    channels = x.shape[1]
    step = channels if x.stride(1) == 1 else _CHANNELS
    return [slice(i, i + step) for i in range(0, channels, step)]


def _is_torchvisions(x: Tensor) -> bool:
    # It has no bfloat16, and on the CPU ours takes a tenth of the time.
    device = x.device.type
    is_faster = device != 'cpu' and x.dtype != torch.bfloat16
    return is_faster and works(_small_torchvision, device)


def _small_torchvision(device: str) -> None:
    x = torch.zeros(1, 1, 2, 2, device=device, requires_grad=True)
    rois = torch.zeros(1, 5, device=device)
    _torchvision(x, rois, Grid((1, 1), 1.0, 1, True)).sum().backward()


def _torchvision(x: Tensor, rois: Tensor, grid: Grid) -> Tensor:
    from torchvision.ops import roi_align

    return roi_align(x, rois.to(x.dtype), *grid)


class _Sums(NamedTuple):
    """Weighted sums of rows of a matrix.

    Attributes:
        rows (Tensor): The number of each summand's row, shape (S,).
        weights (Tensor): Its weight, shape (S,).
        lengths (Tensor): How many summands each sum has, one after the other.
    """

    rows: Tensor
    weights: Tensor
    lengths: Tensor

    def of(self, matrix: Tensor) -> Tensor:
        """Returns the sums, shape (sums, C), for a matrix of shape (rows, C)."""
        return F.embedding_bag(
            self.rows,
            matrix.to(self.weights.dtype),
            self.lengths.cumsum(0) - self.lengths,
            mode='sum',
            per_sample_weights=self.weights,
        )

    def transposed(self, rows: int) -> '_Sums':
        """Returns sums over these sums, one for each of the rows."""
        numbers = torch.arange(len(self.lengths), device=self.rows.device)
        numbers = numbers.repeat_interleave(self.lengths)
        order = self.rows.argsort(stable=True)
        lengths = self.rows.bincount(minlength=rows)
        return _Sums(numbers[order], self.weights[order], lengths)


def _sums_of_images(
    shape: torch.Size, rois: Tensor, grid: Grid
) -> Iterator[tuple[slice, Tensor, _Sums]]:
    """Yields some images, boxes in them, and the boxes' sums over the images' pixels.

    A box's sums are one after the other, row by row.
    """
    numbers = rois[:, 0].long()
    starts, bins, samples = _bins(rois, grid)
    # A bin of b pixels is a sum of at most (b + 2)^2.
    summands = (bins.abs() + 2).prod(1) * grid.output_size[0] * grid.output_size[1]
    by_image = numbers.argsort(stable=True)
    parts = (summands[by_image].double().cumsum(0) / _MOST).long()
    for part in parts.unique().tolist():
        boxes = by_image[parts == part]
        first, last = numbers[boxes[[0, -1]]].tolist()
        rows, columns = (
            _axis(
                starts[boxes, i],
                bins[boxes, i],
                samples[boxes, i],
                grid.output_size[1 - i],
                shape[3 - i],
            )
            for i in (1, 0)
        )
        sums = _sums(boxes, numbers[boxes] - first, shape[2:], rows, columns)
        yield slice(first, last + 1), *sums


def _bins(rois: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Returns where boxes start, sizes of their bins, and numbers of samples in a bin.

    All are of shape (R, 2): horizontally and vertically.

    Raises:
        RuntimeError: See :func:`roi_align_forward`.
    """
    rois = rois.detach()
    if rois.dtype in (torch.float16, torch.bfloat16):
        rois = rois.float()
    corners = rois[:, 1:] * grid.spatial_scale - (0.5 if grid.aligned else 0.0)
    starts, sides = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not grid.aligned:
        sides = sides.clamp(min=1)
    elif rois.device.type == 'cpu' and not bool((sides >= 0).all()):
        wrong = rois[(~(sides >= 0)).any(1)][0].tolist()
        raise RuntimeError(
            'ROIs in ROIAlign cannot have negative size (left, top, right, bottom: '
            f'{wrong[1:]})'
        )
    bins = sides / sides.new_tensor(grid.output_size[::-1])
    if grid.sampling_ratio > 0:
        return starts, bins, torch.full_like(bins, grid.sampling_ratio)
    return starts, bins, bins.float().ceil().clamp(min=0).to(bins.dtype)


class _Axis(NamedTuple):
    """The samples whose sums are the bins of each box, in one direction.

    Attributes:
        first (Tensor): The first pixel of each bin, shape (R, bins).
        weights (Tensor): Those of the pixels from there on, shape (R, bins, K).
        spans (Tensor): How many of the K have weights, in some bin, shape (R,).
    """

    first: Tensor
    weights: Tensor
    spans: Tensor


def _axis(start: Tensor, bin: Tensor, samples: Tensor, bins: int, size: int) -> _Axis:
    """Adds up the weights of linear interpolation at the samples of every bin.

    Args:
        start (Tensor): Where the boxes start, in pixels, shape (R,).
        bin (Tensor): The length of their bins, shape (R,).
        samples (Tensor): How many samples a bin has, shape (R,).
        bins (int): How many bins a box has.
        size (int): Height or width of the map.
    """
    at, counts = _positions(start, bin, samples, bins)
    # Outside of the map, a pixel and more away from it, there is nothing.
    counts = counts & (at >= -1) & (at <= size)
    at = at.clamp(0, size - 1)
    low = at.floor()
    each = counts / samples[:, None, None].clamp(min=1)
    share = (at - low) * each
    first = low.amin(-1, keepdim=True)
    place = (low - first).long()
    spans = place.amax((1, 2)) + 2
    weights = at.new_zeros(*at.shape[:2], int(spans.max()))
    weights.scatter_add_(2, place, each - share)
    weights.scatter_add_(2, place + 1, share)
    return _Axis(first[..., 0].long(), weights, spans)


def _positions(
    start: Tensor, bin: Tensor, samples: Tensor, bins: int
) -> tuple[Tensor, Tensor]:
    """Returns where samples are, and which of them there are, shape (R, bins, K)."""
    start, bin = start[:, None, None], bin[:, None, None]
    last = samples[:, None, None].clamp(min=1)
    numbers = torch.arange(int(last.max()), device=start.device, dtype=start.dtype)
    steps = (torch.minimum(numbers, last - 1) + 0.5) * bin / last
    at = start + torch.arange(bins, device=start.device)[:, None] * bin + steps
    return at, (numbers < samples[:, None, None]).expand_as(at)


def _sums(
    boxes: Tensor, images: Tensor, size: Sequence[int], rows: _Axis, columns: _Axis
) -> tuple[Tensor, _Sums]:
    """Returns boxes in another order, and the sums of each of them.

    Args:
        boxes (Tensor): The numbers of some boxes.
        images (Tensor): The number of each one's image, whose pixels follow those of
            the images before it.
        size (Sequence[int]): Height and width of the images.
        rows (_Axis): Which rows their bins are sums of.
        columns (_Axis): Which columns.
    """
    height, width = size
    groups, pixels, weights, lengths = [], [], [], []
    for row_span, column_span, group in _groups(rows.spans, columns.spans):
        row = _pixels_from(rows.first[group], row_span, height)
        row = row + images[group, None, None] * height
        column = _pixels_from(columns.first[group], column_span, width)
        pixel = row[:, :, None, :, None] * width + column[:, None, :, None]
        weight = (
            rows.weights[group, :, None, :row_span, None]
            * columns.weights[group, None, :, None, :column_span]
        )
        groups.append(boxes[group])
        pixels.append(pixel.flatten())
        weights.append(weight.flatten())
        lengths.append(
            group.new_full((pixel[..., 0, 0].numel(),), weight[0, 0, 0].numel())
        )
    sums = _Sums(torch.cat(pixels), torch.cat(weights), torch.cat(lengths))
    return torch.cat(groups), sums


def _pixels_from(first: Tensor, span: int, size: int) -> Tensor:
    """Returns the pixels of each bin; behind the last one the weight is 0."""
    steps = torch.arange(span, device=first.device)
    return (first[..., None] + steps).clamp(max=size - 1)


def _groups(*spans: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yields boxes that have the same two numbers: the numbers, and which boxes."""
    pairs, group = torch.stack(spans, 1).unique(dim=0, return_inverse=True)
    for number, (one, other) in enumerate(pairs.tolist()):
        yield int(one), int(other), (group == number).nonzero()[:, 0]


def _maxima(
    x: Tensor,
    rois: Tensor,
    grid: Grid,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
) -> None:
    """Fills ``output`` with the largest sample of each bin.

    ``argmax_y`` and ``argmax_x`` become its place.
    """
    channels = x.shape[1]
    rows, columns = grid.output_size
    images = rois[:, 0].long()
    starts, bins, samples = _bins(rois, grid)
    # Below it mmcv finds no maximum; argmax is -1 then.
    lowest = -10000.0 if x.device.type == 'cpu' else torch.finfo(x.dtype).min
    output.fill_(lowest)
    argmax_y.fill_(-1)
    argmax_x.fill_(-1)
    for wide, high, group in _groups(samples[:, 0], samples[:, 1]):
        if not wide or not high:
            continue
        in_a_box = channels * rows * columns * wide * high
        for boxes in group.split(max(1, _MOST // in_a_box)):
            across, down = (
                _positions(starts[boxes, i], bins[boxes, i], samples[boxes, i], number)[
                    0
                ].flatten(1)
                for i, number in ((0, columns), (1, rows))
            )
            values = _interpolate(x, images[boxes], down, across)
            values = values.view(len(boxes), rows, high, columns, wide, channels)
            values = values.permute(0, 5, 1, 3, 2, 4).flatten(4)
            best, index = values.max(-1)
            found = best > lowest
            output[boxes] = torch.where(found, best, lowest).to(output.dtype)
            for argmax, at, number in (
                (argmax_y, down.view(-1, 1, rows, 1, high), index // wide),
                (argmax_x, across.view(-1, 1, 1, columns, wide), index % wide),
            ):
                at = at.expand(*index.shape, -1).gather(-1, number[..., None])[..., 0]
                argmax[boxes] = torch.where(found, at, -1).to(argmax.dtype)


def _interpolate(x: Tensor, images: Tensor, y: Tensor, x_: Tensor) -> Tensor:
    """Returns the values at the points of a grid in each image, 0 outside of the map.

    Args:
        x (Tensor): Shape (N, C, H, W).
        images (Tensor): The numbers of the images, shape (B,).
        y (Tensor): Rows of the grids, shape (B, Y).
        x_ (Tensor): Columns of the grids, shape (B, X).

    Returns:
        Tensor: Shape (B, Y, X, C).
    """
    total: Tensor | float = 0.0
    for row, row_weight in _neighbours(y, x.shape[2]):
        for column, column_weight in _neighbours(x_, x.shape[3]):
            value = x[images[:, None, None], :, row[:, :, None], column[:, None, :]]
            weight = row_weight[:, :, None] * column_weight[:, None, :]
            total = total + value * weight[..., None]
    assert isinstance(total, Tensor)
    return total


def _neighbours(at: Tensor, size: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """Returns the two pixels beside each position, and their weights."""
    inside = ((at >= -1) & (at <= size)).to(at.dtype)
    at = at.clamp(0, size - 1)
    low = at.floor()
    share = (at - low) * inside
    low = low.long()
    return (low, inside - share), ((low + 1).clamp(max=size - 1), share)


def _add_maxima_gradient(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
) -> None:
    """Adds the gradient of :func:`_maxima` to ``grad_input``."""
    _, channels, height, width = grad_input.shape
    images = rois[:, 0].long()[:, None, None, None]
    planes = (
        images * channels + torch.arange(channels, device=rois.device)[:, None, None]
    )
    found = argmax_y != -1
    total = torch.zeros(grad_input.numel(), dtype=grad_input.dtype, device=rois.device)
    for row, row_weight in _neighbours(argmax_y, height):
        for column, column_weight in _neighbours(argmax_x, width):
            index = (planes * height + row) * width + column
            share = grad_output * row_weight * column_weight * found
            total.index_add_(0, index.flatten(), share.flatten().to(total.dtype))
    grad_input += total.view(grad_input.shape)
