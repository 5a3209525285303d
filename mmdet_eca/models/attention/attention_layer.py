"""The base class of attention at the end of a residual branch."""

import logging
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.fx import Proxy

from ...errors import UserError

Size = int | Sequence[int]


class AttentionLayer(nn.Module):
    """A layer at the end of a residual branch that keeps the shape of its input.

    Derived classes register themselves in mmdet's ``MODELS``; the backbones of this
    package then take them as ``attention=dict(type=...)``, and any backbone of mmdet
    as a plugin. ``_abbr_`` is the name of the layer in a block, and so in the state
    dict.

    Args:
        in_channels (int): Number of channels C of the input.

    Raises:
        UserError: If ``in_channels`` is not a positive integer.
    """

    _abbr_: str
    # Whether the layer looks at means over positions only. They pass through a 1x1
    # convolution, so the layer is known before that convolution has run, and the
    # residual blocks do both at once.
    depends_on_channel_means = False
    # Whether it then adds to its input, where the others multiply it.
    is_additive = False
    # Whether it is in a backbone that itself warns of untrained attention.
    in_attention_backbone = False

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        check_positive_integer('in_channels', in_channels)
        self.in_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Maps feature maps of shape (N, C, H, W) to the same shape."""
        raise NotImplementedError

    def start_as_identity(self) -> float | None:
        """Sets weights so that the output is a multiple of the input, and can learn.

        Sigmoids are given zeros, so the multiple is a power of two, and a norm before
        the layer makes up for it without rounding.

        Returns:
            float, optional: The multiple; None if the layer's weights, or its having
            none, do not allow it.
        """
        return None

    def gate(self, pooled: Tensor) -> Tensor:
        """Computes the weights of the channels from their means.

        Layers have it that depend on these alone and are not additive.

        Args:
            pooled (Tensor): Channel means, shape (N, C).

        Returns:
            Tensor: Weights in [0, 1], shape (N, C).
        """
        raise NotImplementedError

    def gate_before_conv(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Computes the gate from the input of the 1x1 convolution before the layer.

        Layers have it that depend on channel means alone.

        Args:
            x (Tensor): Input of the convolution, shape (N, K, H, W).
            weight (Tensor): Its weight, shape (C, K).
            bias (Tensor): Its bias, shape (C,).

        Returns:
            Tensor: A factor of every channel or, if the layer is additive, a summand,
            shape (N, C).
        """
        raise NotImplementedError

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        weights = dict(self.named_parameters())
        if (
            weights
            and not self.in_attention_backbone
            and not any(p.requires_grad for p in weights.values())
            and not any(prefix + name in state_dict for name in weights)
        ):
            print_log(
                f'The checkpoint has no weights for {prefix[:-1]}: this '
                'attention stays untrained: its stage is frozen. Set '
                'frozen_stages=0 in the backbone to train it.',
                logger='current',
                level=logging.WARNING,
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        """The arguments, as ``print`` shows them."""
        return str(self.in_channels)


def check_positive_integer(name: str, value: int) -> None:
    """Raises UserError unless ``value`` is a positive integer."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise UserError(f'{name} must be a positive integer, got {value!r}')


def height_and_width(name: str, size: Size) -> tuple[int, int]:
    """The two of a size, of which one number says both.

    Raises:
        UserError: If ``size`` is neither a positive integer nor two of them.
    """
    pair: Any = [size, size] if isinstance(size, Integral) else size
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise UserError(
            f'{name} must be a positive integer or two, height and width, got {size!r}'
        )
    for value in pair:
        check_positive_integer(name, value)
    return pair[0], pair[1]


def reduced_channels(in_channels: int, ratio: int) -> int:
    """C // r, the width of a bottleneck.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """
    check_positive_integer('ratio', ratio)
    if ratio > in_channels:
        raise UserError(
            f'ratio must be at most the {in_channels} channels, got {ratio}'
        )
    return in_channels // ratio


def zero(*modules: nn.Module) -> None:
    """Sets the weights and the biases of these modules to 0."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


def mean_over_positions(x: Tensor) -> Tensor:
    """Channel means (N, C).

    By the sum, whose gradient is a view of the size of x where the mean's is a copy;
    in float32, since half precision would overflow.
    """
    if isinstance(x, Proxy):  # its data type is not known; mean() adds in float32
        return x.mean((2, 3))
    total = x.sum((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
    return (total / (x.shape[2] * x.shape[3])).to(x.dtype)
