"""Efficient Channel Attention.

From "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural
Networks", Wang et al., CVPR 2020, https://arxiv.org/abs/1910.03151.
"""

import math
from functools import reduce
from numbers import Integral

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.fx import Proxy
from torch.nn import functional as F

from ...errors import UserError
from .attention_layer import check_positive_integer
from .channel_attention import ChannelAttention


def eca_kernel_size(channels: int, gamma: float = 2, b: float = 1) -> int:
    """Adaptive kernel size, Equation (12): ``k = |log2(C)/gamma + b/gamma|_odd``.

    The paper's code (Figure 3), followed here, truncates to an integer and
    takes the next one if that is even.

    Args:
        channels (int): Number of channels C, at least 1.
        gamma (float): Slope of the mapping; larger gives smaller kernels.
        b (float): Offset of the mapping.

    Returns:
        int: The kernel size, odd.

    Raises:
        UserError: If ``channels`` is not a positive integer.

    Example:
        >>> [eca_kernel_size(c) for c in (64, 128, 256, 512, 1024, 2048)]
        [3, 5, 5, 5, 5, 7]
    """
    check_positive_integer('channels', channels)
    if not gamma > 0:
        raise UserError(f'gamma must be positive, got {gamma!r}')
    size = int(abs((math.log2(channels) + b) / gamma))
    return size if size % 2 else size + 1


class _LocalAttention(ChannelAttention):
    """A channel's weight depends on the channel and its neighbours, k in all."""

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | None = None,
        gamma: float = 2,
        b: float = 1,
    ) -> None:
        super().__init__(in_channels)
        if kernel_size is None:
            kernel_size = eca_kernel_size(in_channels, gamma, b)
        _check_kernel_size(kernel_size, in_channels)
        self.kernel_size = int(kernel_size)

    def extra_repr(self) -> str:
        """The arguments, as ``print`` shows them."""
        return f'{self.in_channels}, kernel_size={self.kernel_size}'


@MODELS.register_module()
class ECALayer(_LocalAttention):
    """ECA: ``y = x * sigmoid(C1D_k(GAP(x)))``, Equation (9).

    One convolution of k weights, shared by all channels, runs along the
    channel axis of the pooled features.

    Args:
        in_channels (int): Number of channels C of the input.
        kernel_size (int, optional): k, odd, at most C. None takes
            :func:`eca_kernel_size` of ``in_channels``.
        gamma (float): Slope of the kernel-size mapping, Equation (12).
        b (float): Offset of the kernel-size mapping, Equation (12).

    Raises:
        UserError: If ``kernel_size`` is not a positive odd integer or is larger
            than ``in_channels``.

    Example:
        >>> layer = ECALayer(256)
        >>> layer.kernel_size
        5
        >>> layer(torch.rand(2, 256, 7, 7)).shape
        torch.Size([2, 256, 7, 7])
    """

    _abbr_ = 'eca'

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | None = None,
        gamma: float = 2,
        b: float = 1,
    ) -> None:
        super().__init__(in_channels, kernel_size, gamma, b)
        self.conv = nn.Conv1d(
            1, 1, self.kernel_size, padding=self.kernel_size // 2, bias=False
        )

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(C1D_k(pooled))`` of channel means of shape (N, C)."""
        is_traced = isinstance(pooled, Proxy) or torch.jit.is_tracing()
        on_cpu = not is_traced and pooled.device.type == 'cpu'
        # torch.compile fuses the sum, but not the convolution. On the CPU the
        # convolution's backward pass takes several times as long.
        if is_compiling() or on_cpu:
            # For every image, so that the gradients of the k weights are summed over
            # the channels together.
            weight = self.conv.weight.expand(len(pooled), 1, -1)
            return _weigh_neighbors(pooled, weight).sigmoid()
        return self.conv(pooled.unsqueeze(1)).squeeze(1).sigmoid()


@MODELS.register_module()
class ECANonShared(_LocalAttention):
    """ECA-NS: as :class:`ECALayer`, with k weights of its own a channel.

    ``sigmoid(W_k GAP(x))`` with the band matrix of Equation (6). Arguments and
    errors as of :class:`ECALayer`.
    """

    _abbr_ = 'eca_ns'

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | None = None,
        gamma: float = 2,
        b: float = 1,
    ) -> None:
        super().__init__(in_channels, kernel_size, gamma, b)
        bound = self.kernel_size**-0.5  # as the shared convolution starts
        self.weight = nn.Parameter(
            torch.empty(in_channels, self.kernel_size).uniform_(-bound, bound)
        )

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(sum_j weight[c, j] pooled[c - k // 2 + j])``, (N, C)."""
        return _weigh_neighbors(pooled, self.weight[None]).sigmoid()


def _weigh_neighbors(pooled: Tensor, weight: Tensor) -> Tensor:
    """``sum_j weight[c, j] pooled[c - k // 2 + j]``, weight (N or 1, C or 1, k)."""
    channels, k = pooled.shape[1], weight.shape[2]
    padded = F.pad(pooled, (k // 2, k // 2))
    # Cast, since autocast leaves products of elements alone.
    weight = weight.to(pooled)
    products = (padded[:, j : j + channels] * weight[..., j] for j in range(k))
    return reduce(torch.add, products)


def _check_kernel_size(kernel_size: int, in_channels: int) -> None:
    if (
        not isinstance(kernel_size, Integral)
        or isinstance(kernel_size, bool)
        or kernel_size < 1
        or kernel_size % 2 == 0
    ):
        raise UserError(
            'kernel_size must be a positive odd integer (3, 5, 7, ...) or None '
            f'for the adaptive size, got {kernel_size!r}'
        )
    if kernel_size > in_channels:
        raise UserError(
            f'kernel_size must be at most the {in_channels} channels, got {kernel_size}'
        )
