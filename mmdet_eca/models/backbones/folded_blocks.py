"""The residual blocks in less time and memory.

A norm on stored statistics folds into the convolution before it, and the mean of a 1x1
convolution's output is the convolution of its input's mean. So a bottleneck knows the
weights of its channels before its last convolution runs, and norm, attention, shortcut
and ReLU are one operation, :func:`attention_tail`. On the batch's statistics the norm
stays, and the rest is one operation with it, :func:`norm_attention_tail`. Where a block
does not allow it, it runs as in ``residual_blocks.py``, which is the same function.
"""

from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn import functional as F

from ...ops import (
    as_node,
    attention_tail,
    conv_norm,
    fold_norm,
    has_hooks,
    is_foldable,
    norm_attention_tail,
    run_folded,
    uses_batch_statistics,
)
from .residual_blocks import AttentionBasicBlock, AttentionBottleneck, ResidualBlock


class _Folded(ResidualBlock):
    """Folds every norm of a residual block that :func:`is_foldable` accepts."""

    def forward(self, x: Tensor) -> Tensor:
        # torch.fx cannot follow a choice by the input's size.
        return as_node(self, x) if isinstance(x, Proxy) else super().forward(x)

    def conv_norm(self, conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
        return conv_norm(conv, norm, x)

    def shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else run_folded(self.downsample, x)

    def run_tail(self, out: Tensor, x: Tensor) -> Tensor:
        """The block from its last convolution on, in one operation if it may be."""
        attention = self.attention
        norm = getattr(self, self.last_norm)
        if (
            attention is None
            or attention.adds
            or not self.tail_is_one
            or has_hooks(norm)
            or not uses_batch_statistics(norm, out)
        ):
            return super().run_tail(out, x)
        out = getattr(self, self.last_conv)(out)
        return norm_attention_tail(
            out, norm, attention.gate, [*attention.parameters()], self.shortcut(x)
        )

    @property
    def tail_is_one(self) -> bool:
        """Whether what the attention does follows from means, and nobody watches."""
        attention = self.attention
        return (
            attention is not None
            and attention.sees_means
            and not self.plugins_after_attention
            and not has_hooks(attention)
            and not has_hooks(self.relu)
        )


class FoldedBasicBlock(_Folded, AttentionBasicBlock):
    """:class:`AttentionBasicBlock` with its norms folded."""


class FoldedBottleneck(_Folded, AttentionBottleneck):
    """:class:`AttentionBottleneck` with its norms and its attention folded."""

    def run_tail(self, out: Tensor, x: Tensor) -> Tensor:
        """As of the base class; on stored statistics too."""
        attention = self.attention
        if (
            attention is None
            or not self.tail_is_one
            or not is_foldable(self.conv3, self.norm3, out)
        ):
            return super().run_tail(out, x)
        weight, bias = fold_norm(self.conv3, self.norm3)
        weight = weight.flatten(1)
        known = attention.known_before(out, weight, bias)
        if not attention.adds:
            return attention_tail(out, weight, bias, known, self.shortcut(x))
        out = F.conv2d(out, weight[:, :, None, None], bias)
        out += known[:, :, None, None]
        out += self.shortcut(x)
        return F.relu(out, inplace=True)


class FoldedResNeXtBottleneck(FoldedBottleneck, ResNeXtBottleneck):
    """:class:`AttentionResNeXtBottleneck`, likewise."""
