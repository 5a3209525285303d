"""Deformable convolutions: each tap of the kernel reads the map at a place of its own.

Dai et al., Deformable Convolutional Networks, ICCV 2017; with a factor for each sample
(modulated): Zhu et al., Deformable ConvNets v2, CVPR 2019.

torchvision's kernel is used where it runs. Else the output is the sum over the taps of
the kernel, ``weight[:, :, i, j] @ samples``, which never holds the samples of more than
one tap; and so is each gradient.

mmcv gives sizes by keywords: ``kW, kH`` (the kernel's), ``dW, dH`` (stride),
``padW, padH``, ``dilationW, dilationH``, ``group`` and ``deformable_group``; modulated
convolutions have other names for them. Buffers of mmcv's are left alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .kernels import works
from .sampling import sample


class Layout(NamedTuple):
    """Which places a deformable convolution reads, but for the offsets.

    Attributes:
        stride (tuple[int, int]): Vertically and horizontally, as all of them.
        padding (tuple[int, int]): Pixels around the map.
        dilation (tuple[int, int]): Distance of two taps in pixels.
        groups (int): Groups of channels with a kernel each.
        deform_groups (int): Groups of channels with offsets each.
    """

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **sizes: int,
) -> None:
    """Fills ``output`` with a deformable convolution.

    Args:
        input (Tensor): Shape (N, C, H, W).
        weight (Tensor): Shape (C', C / group, kH, kW).
        offset (Tensor): Shape (N, 2 * deformable_group * kH * kW, H', W'): for each
            group and tap the vertical one and the horizontal one, in pixels.
        output (Tensor): Shape (N, C', H', W').
        columns (Tensor): A buffer of mmcv's.
        ones (Tensor): Another.
        sizes (int): See above.

    Raises:
        RuntimeError: If the map is smaller than the kernel.
    """
    # mmcv refuses it here, and not in modulated convolutions.
    if input.shape[2] < sizes['kH'] or input.shape[3] < sizes['kW']:
        raise RuntimeError(
            f'input image is smaller than kernel: {tuple(input.shape[2:])} and '
            f'{tuple(weight.shape[2:])}'
        )
    output.copy_(_convolve(input, offset, None, weight, _layout(sizes)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **sizes: int,
) -> None:
    """Adds gradients to ``grad_input`` and ``grad_offset``.

    The other arguments are those of :func:`deform_conv_forward`.
    """
    inputs = (input, offset, None, weight)
    gradients = (grad_input, grad_offset, None, None)
    _add_gradients(grad_output, inputs, gradients, _layout(sizes))


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1.0,
    **sizes: int,
) -> None:
    """Adds ``scale`` times the gradient of the weight to ``grad_weight``.

    The other arguments are those of :func:`deform_conv_forward`.
    """
    # The gradient does not depend on the weight.
    inputs = (input, offset, None, grad_weight)
    gradients = (None, None, None, grad_weight)
    _add_gradients(grad_output * scale, inputs, gradients, _layout(sizes))


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Fills ``output`` with a modulated deformable convolution.

    Args:
        input (Tensor): See :func:`deform_conv_forward`.
        weight (Tensor): The same.
        bias (Tensor): Shape (C',), added if ``with_bias``.
        ones (Tensor): A buffer of mmcv's.
        offset (Tensor): See :func:`deform_conv_forward`.
        mask (Tensor): Factors of the samples, shape
            (N, deformable_group * kernel_h * kernel_w, H', W').
        output (Tensor): Shape (N, C', H', W').
        columns (Tensor): A buffer of mmcv's.
        with_bias (bool): Whether there is a bias.
        sizes (int): See above.
    """
    output.copy_(_convolve(input, offset, mask, weight, _modulated_layout(sizes)))
    if with_bias:
        output += bias[:, None, None]


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Adds gradients to the five tensors of that name.

    The other arguments are those of :func:`modulated_deform_conv_forward`.
    """
    inputs = (input, offset, mask, weight)
    gradients = (grad_input, grad_offset, grad_mask, grad_weight)
    _add_gradients(grad_output, inputs, gradients, _modulated_layout(sizes))
    if with_bias:
        grad_bias += grad_output.sum((0, 2, 3))


def _layout(sizes: dict[str, int]) -> Layout:
    return Layout(
        (sizes['dH'], sizes['dW']),
        (sizes['padH'], sizes['padW']),
        (sizes['dilationH'], sizes['dilationW']),
        sizes['group'],
        sizes['deformable_group'],
    )


def _modulated_layout(sizes: dict[str, int]) -> Layout:
    return Layout(
        (sizes['stride_h'], sizes['stride_w']),
        (sizes['pad_h'], sizes['pad_w']),
        (sizes['dilation_h'], sizes['dilation_w']),
        sizes['group'],
        sizes['deformable_group'],
    )


def _is_torchvisions(x: Tensor) -> bool:
    # It has no bfloat16.
    return x.dtype != torch.bfloat16 and works(_small_torchvision, x.device.type)


def _torchvision(
    layout: Layout, x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor
) -> Tensor:
    from torchvision.ops import deform_conv2d

    # Offsets of 0 put samples of the padding exactly one pixel outside the map. In mmcv
    # their slope is 0. In torchvision it is not, but further out it is: they are moved.
    places = _places(offset, weight, layout)
    outside = (places == -1).any(3, keepdim=True).to(offset.dtype)
    return deform_conv2d(
        x,
        (_by_tap(offset, layout) - outside).view_as(offset),
        weight,
        stride=layout.stride,
        padding=layout.padding,
        dilation=layout.dilation,
        mask=mask,
    )


def _small_torchvision(device: str) -> None:
    x = torch.zeros(1, 1, 1, 1, device=device, requires_grad=True)
    offset = torch.zeros(1, 2, 1, 1, device=device)
    layout = Layout((1, 1), (0, 0), (1, 1), 1, 1)
    _torchvision(layout, x, offset, None, torch.ones_like(x)).sum().backward()


def _convolve(
    x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, layout: Layout
) -> Tensor:
    """Returns the convolution of x, of shape (N, C', H', W')."""
    if _is_torchvisions(x):
        return _torchvision(layout, x, offset, mask, weight)
    total: Tensor | float = 0.0
    for tap in _taps(_places(offset, weight, layout), mask, weight, layout):
        total = total + _of_tap(layout, x, *tap)
    assert isinstance(total, Tensor)
    return total


def _add_gradients(
    grad_output: Tensor,
    inputs: tuple[Any, Any, Any, Any],
    gradients: tuple[Any, Any, Any, Any],
    layout: Layout,
) -> None:
    """Adds the gradients of :func:`_convolve` by its inputs to those that are given."""
    if _is_torchvisions(grad_output):
        with torch.enable_grad():
            leaves = _leaves(inputs)
            out = _torchvision(layout, *leaves)
        _accumulate(out, leaves, grad_output, gradients)
        return
    x, offset, mask, weight = inputs
    grad_input, grad_offset, grad_mask, grad_weight = gradients
    grad_places = None if grad_offset is None else _by_tap(grad_offset, layout)
    parts = zip(
        _taps(_places(offset, weight, layout), mask, weight, layout),
        _taps(grad_places, grad_mask, grad_weight, layout, weight[0, 0].numel()),
    )
    for tap, views in parts:
        with torch.enable_grad():
            leaves = _leaves((x, *tap))
            out = _of_tap(layout, *leaves)
        _accumulate(out, leaves, grad_output, (grad_input, *views))


def _leaves(values: Sequence[Tensor | None]) -> Any:
    return [v if v is None else v.detach().requires_grad_() for v in values]


def _accumulate(
    out: Tensor, leaves: Sequence[Any], grad: Tensor, gradients: Sequence[Any]
) -> None:
    """Adds the gradients of ``out`` by those leaves whose gradient is asked for."""
    wanted = [pair for pair in zip(leaves, gradients) if pair[1] is not None]
    found = torch.autograd.grad(out, [leaf for leaf, _ in wanted], grad)
    for (_, gradient), value in zip(wanted, found):
        gradient += value


def _by_tap(offset: Tensor, layout: Layout) -> Tensor:
    """Returns a view of shape (N, deform_groups, kH * kW, 2, H', W')."""
    return offset.unflatten(1, (layout.deform_groups, -1, 2))


def _places(offset: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """Returns which row and column of the map each tap reads; shape as _by_tap."""
    kernel, out_size = weight.shape[2:], offset.shape[2:]
    rows, columns = (
        (_count(taps, offset) * dilation - pad)[:, None] + _count(size, offset) * stride
        for taps, size, stride, dilation, pad in zip(
            kernel, out_size, layout.stride, layout.dilation, layout.padding
        )
    )
    grid = torch.stack(
        (
            rows[:, None, :, None].expand(*kernel, *out_size),
            columns[None, :, None].expand(*kernel, *out_size),
        ),
        2,
    )
    return _by_tap(offset, layout) + grid.flatten(0, 1)


def _count(number: int, like: Tensor) -> Tensor:
    return torch.arange(number, device=like.device, dtype=like.dtype)


def _taps(
    places: Tensor | None,
    mask: Tensor | None,
    weight: Tensor | None,
    layout: Layout,
    count: int | None = None,
) -> Iterator[tuple[Any, Any, Any]]:
    """Yields views of what belongs to each tap, None of what is None.

    They are places, shape (N, deform_groups, 2, H', W'), mask, (N, deform_groups, H',
    W'), and weight, (C', C / groups).
    """
    if weight is not None:
        weight, count = weight.flatten(2), weight[0, 0].numel()
    if mask is not None:
        mask = mask.unflatten(1, (layout.deform_groups, -1))
    assert count is not None
    for k in range(count):
        yield (
            None if places is None else places[:, :, k],
            None if mask is None else mask[:, :, k],
            None if weight is None else weight[:, :, k],
        )


def _of_tap(
    layout: Layout, x: Tensor, places: Tensor, mask: Tensor | None, weight: Tensor
) -> Tensor:
    """Returns what one tap adds to the output, shape (N, C', H', W')."""
    number, channels, height, width = x.shape
    samples = sample(
        x.reshape(-1, channels // layout.deform_groups, height, width),
        places[:, :, 0].flatten(0, 1).flatten(1),
        places[:, :, 1].flatten(0, 1).flatten(1),
    )
    if mask is not None:
        samples = samples * mask.flatten(0, 1).flatten(1)[:, None]
    samples = samples.view(number, layout.groups, channels // layout.groups, -1)
    weight = weight.view(layout.groups, -1, weight.shape[1])
    return (weight @ samples).view(number, -1, *places.shape[-2:])
