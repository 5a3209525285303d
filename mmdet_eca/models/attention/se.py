"""Squeeze-and-excitation, and its variants without dimensionality reduction.

SE is from "Squeeze-and-Excitation Networks", Hu et al., CVPR 2018,
https://arxiv.org/abs/1709.01507; the variants are ECA-Net's, Table 2.
"""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import UserError
from .attention_layer import check_positive_integer, reduced_channels
from .channel_attention import ChannelAttention


@MODELS.register_module()
class SqueezeExcitation(ChannelAttention):
    """SE: ``sigmoid(W2 relu(W1 GAP(x)))``, Equation (2) of ECA-Net.

    Args:
        in_channels (int): Number of channels C of the input.
        ratio (int): Reduction r: ``W1`` is (C // r, C), ``W2`` (C, C // r).
        bias (bool): Whether the two layers add a bias.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """

    _abbr_ = 'se'

    def __init__(self, in_channels: int, ratio: int = 16, bias: bool = False) -> None:
        super().__init__(in_channels)
        width = reduced_channels(in_channels, ratio)
        self.fc1 = nn.Linear(in_channels, width, bias=bias)
        self.fc2 = nn.Linear(width, in_channels, bias=bias)

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(W2 relu(W1 pooled))`` of channel means of shape (N, C)."""
        return self.fc2(self.fc1(pooled).relu()).sigmoid()


@MODELS.register_module()
class SEVar1(ChannelAttention):
    """SE-Var1: ``sigmoid(GAP(x))``; nothing is learned."""

    _abbr_ = 'se_var1'

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(pooled)`` of channel means of shape (N, C)."""
        return pooled.sigmoid()


@MODELS.register_module()
class SEVar2(ChannelAttention):
    """SE-Var2: ``sigmoid(w * GAP(x))``, one weight a channel.

    The diagonal matrix of Equation (4).
    """

    _abbr_ = 'se_var2'

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        # As a depth-wise 1x1 convolution starts.
        self.weight = nn.Parameter(torch.empty(in_channels).uniform_(-1, 1))

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(weight * pooled)`` of channel means of shape (N, C)."""
        # Cast, since autocast leaves products of elements alone.
        return (self.weight.to(pooled) * pooled).sigmoid()


@MODELS.register_module()
class SEVar3(ChannelAttention):
    """SE-Var3: ``sigmoid(W GAP(x))``, the full matrix of Equation (4)."""

    _abbr_ = 'se_var3'

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        self.fc = nn.Linear(in_channels, in_channels, bias=False)

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(W pooled)`` of channel means of shape (N, C)."""
        return self.fc(pooled).sigmoid()


@MODELS.register_module()
class SEGroup(ChannelAttention):
    """SE-GC: ``sigmoid(W_G GAP(x))``, the block-diagonal matrix of Equation (5).

    Table 2 has SE-GC1 with 16 groups, ``SEGroup(C)``, and with C/16 and C/8
    groups SE-GC2, ``SEGroup(C, group_width=16)``, and SE-GC3,
    ``SEGroup(C, group_width=8)``.

    Args:
        in_channels (int): Number of channels C of the input.
        groups (int, optional): Number of groups G; 16 if ``group_width`` is
            not given either.
        group_width (int, optional): Channels in a group, C / G, instead.

    Raises:
        UserError: If both are given, or do not divide ``in_channels``.
    """

    _abbr_ = 'se_group'

    def __init__(
        self,
        in_channels: int,
        groups: int | None = None,
        group_width: int | None = None,
    ) -> None:
        super().__init__(in_channels)
        if groups is not None and group_width is not None:
            raise UserError(
                'give groups or group_width, not both; got '
                f'{groups!r} and {group_width!r}'
            )
        name, number = (
            ('groups', 16 if groups is None else groups)
            if group_width is None
            else ('group_width', group_width)
        )
        check_positive_integer(name, number)
        if in_channels % number:
            raise UserError(
                f'{name} must divide the {in_channels} channels, got {number}'
            )
        self.groups = number if group_width is None else in_channels // number
        self.conv = nn.Conv1d(
            in_channels, in_channels, 1, groups=self.groups, bias=False
        )

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(W_G pooled)`` of channel means of shape (N, C)."""
        return self.conv(pooled.unsqueeze(2)).squeeze(2).sigmoid()

    def extra_repr(self) -> str:
        """The arguments, as ``print`` shows them."""
        return f'{self.in_channels}, groups={self.groups}'
