"""Content-aware reassembly of features (Wang et al., CARAFE, ICCV 2019).

Each pixel of the larger map is a weighted sum of the ``kernel_size`` squared pixels
around its source, with weights of its own. The sum goes over the taps of the kernel.
"""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional as F


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fills ``output``.

    Args:
        features (Tensor): Shape (N, C, H, W).
        masks (Tensor): Weights, shape
            (N, group_size * kernel_size^2, scale_factor * H, scale_factor * W).
        output (Tensor): Shape (N, C, scale_factor * H, scale_factor * W).
        kernel_size (int): Side of the square of pixels.
        group_size (int): Groups of channels with weights each.
        scale_factor (int): How much larger the output is.
    """
    # One axis for the place of a pixel, one for what is inside of it.
    out = _split(output, group_size, scale_factor).zero_()
    padded = _pad(features, kernel_size)
    for tap, weight in _taps(padded, masks, kernel_size, group_size, scale_factor):
        out += tap * weight


def carafe_naive_backward(
    top_grad: Tensor,
    features: Tensor,
    masks: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Adds the gradients to ``bottom_grad`` and ``mask_grad``.

    With ``y = sum_t x_t m_t`` the gradient of a source's pixel is the sum of ``m_t``
    times y's gradient, over the pixels that come from it; that of ``m_t`` is the sum of
    ``x_t`` times it over the channels of a group. The other arguments are those of
    :func:`carafe_naive_forward`.
    """
    grad = _split(top_grad, group_size, scale_factor)
    sizes = (kernel_size, group_size, scale_factor)
    padded, padded_grad = _pad(features, kernel_size), _pad(bottom_grad, kernel_size)
    for (tap, weight), (tap_grad, weight_grad) in zip(
        _taps(padded, masks, *sizes), _taps(padded_grad, mask_grad, *sizes)
    ):
        tap_grad += (grad * weight).sum((4, 6), keepdim=True)
        weight_grad += (grad * tap).sum(2, keepdim=True)
    edge = kernel_size // 2
    height, width = features.shape[2:]
    bottom_grad.copy_(padded_grad[:, :, edge : edge + height, edge : edge + width])


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Does what :func:`carafe_naive_forward` does.

    It keeps the features in ``rfeatures`` for the backward pass. ``routput`` and
    ``rmasks`` are buffers of mmcv's.
    """
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


def carafe_backward(
    top_grad: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rtop_grad: Tensor,
    rbottom_grad_hs: Tensor,
    rbottom_grad: Tensor,
    rmask_grad: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Does what :func:`carafe_naive_backward` does.

    ``rfeatures`` is what :func:`carafe_forward` kept; the other tensors whose names
    begin with an r are buffers of mmcv's.
    """
    carafe_naive_backward(
        top_grad,
        rfeatures,
        masks,
        bottom_grad,
        mask_grad,
        kernel_size,
        group_size,
        scale_factor,
    )


def _pad(x: Tensor, kernel_size: int) -> Tensor:
    return F.pad(x, (kernel_size // 2,) * 4)


def _split(x: Tensor, groups: int, scale: int) -> Tensor:
    """Returns a view of shape (N, groups, C / groups, H, scale, W, scale)."""
    number, channels, height, width = x.shape
    shape = (height // scale, scale, width // scale, scale)
    return x.view(number, groups, channels // groups, *shape)


def _taps(
    padded: Tensor, masks: Tensor, kernel_size: int, groups: int, scale: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields views of the pixels and of their weights for each tap of the kernel.

    Their shapes are (N, groups, C / groups, H, 1, W, 1) and (N, groups, 1, H, scale, W,
    scale).
    """
    number, channels = padded.shape[:2]
    height, width = (size // scale for size in masks.shape[2:])
    weights = _split(masks, groups, scale)
    grouped = padded.view(number, groups, channels // groups, *padded.shape[2:])
    for i in range(kernel_size):
        for j in range(kernel_size):
            tap = grouped[..., i : i + height, j : j + width]
            tap = tap[..., :, None, :, None]
            k = i * kernel_size + j
            yield tap, weights[:, :, k : k + 1]
