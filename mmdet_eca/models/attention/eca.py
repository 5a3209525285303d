"""Efficient Channel Attention.

From "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural
Networks", Wang et al., CVPR 2020, https://arxiv.org/abs/1910.03151.
"""
import math
from numbers import Integral
from typing import Optional

from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import UserError
from .channel_attention import ChannelAttention


def eca_kernel_size(channels: int, gamma: float = 2, b: float = 1) -> int:
    """Adaptive kernel size, Equation (12): ``k = |log2(C)/gamma + b/gamma|_odd``.

    The authors' code, followed here, truncates to an integer and takes the
    next one if that is even.

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
    _check_channels('channels', channels)
    if not gamma > 0:
        raise UserError(f'gamma must be positive, got {gamma!r}')
    size = int(abs((math.log2(channels) + b) / gamma))
    return size if size % 2 else size + 1


@MODELS.register_module()
class ECALayer(ChannelAttention):
    """ECA: ``y = x * sigmoid(C1D_k(GAP(x)))``, Equation (11).

    One convolution of k weights, shared by all channels, runs along the
    channel axis of the pooled features.

    Args:
        in_channels (int): Number of channels C of the input.
        kernel_size (int, optional): k, odd. None takes
            :func:`eca_kernel_size` of ``in_channels``.
        gamma (float): Of the adaptive kernel size.
        b (float): Of the adaptive kernel size.

    Raises:
        UserError: If ``kernel_size`` is not a positive odd integer.

    Example:
        >>> layer = ECALayer(256)
        >>> layer.kernel_size
        5
        >>> layer(torch.rand(2, 256, 7, 7)).shape
        torch.Size([2, 256, 7, 7])
    """

    _abbr_ = 'eca'

    def __init__(self,
                 in_channels: int,
                 kernel_size: Optional[int] = None,
                 gamma: float = 2,
                 b: float = 1) -> None:
        super().__init__()
        _check_channels('in_channels', in_channels)
        if kernel_size is None:
            kernel_size = eca_kernel_size(in_channels, gamma, b)
        _check_kernel_size(kernel_size)
        self.in_channels = in_channels
        self.kernel_size = int(kernel_size)
        self.conv = nn.Conv1d(
            1, 1, self.kernel_size, padding=self.kernel_size // 2, bias=False)

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(C1D_k(pooled))`` of channel means of shape (N, C)."""
        return self.conv(pooled.unsqueeze(1)).squeeze(1).sigmoid()

    def extra_repr(self) -> str:
        return f'{self.in_channels}, kernel_size={self.kernel_size}'


def _check_kernel_size(kernel_size: int) -> None:
    """Raises UserError unless ``kernel_size`` is a positive odd integer."""
    if not _is_integer(kernel_size) or kernel_size < 1 or kernel_size % 2 == 0:
        raise UserError(
            'kernel_size must be a positive odd integer (3, 5, 7, ...) or None '
            f'for the adaptive size, got {kernel_size!r}')


def _check_channels(name: str, channels: int) -> None:
    if not _is_integer(channels) or channels < 1:
        raise UserError(f'{name} must be a positive integer, got {channels!r}')


def _is_integer(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
