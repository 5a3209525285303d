"""The residual blocks in less time and memory, for norms on stored statistics.

A norm folds into the convolution before it, and the mean of a 1x1 convolution's
output is the convolution of its input's mean. So a bottleneck knows the weights
of its channels before its last convolution runs, and norm, attention, shortcut
and ReLU are one operation, :func:`attention_tail`. Where a block does not allow
it, it runs as in ``residual_blocks.py``, which is the same function.
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
    run_folded,
)
from ..attention import AttentionLayer
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


class FoldedBasicBlock(_Folded, AttentionBasicBlock):
    """:class:`AttentionBasicBlock` with its norms folded."""


class FoldedBottleneck(_Folded, AttentionBottleneck):
    """:class:`AttentionBottleneck` with its norms and its attention folded."""

    def run_tail(self, out: Tensor, x: Tensor) -> Tensor:
        """The block from the third convolution on, in one operation if it may be."""
        attention = self.attention
        if attention is None or not self._tail_is_foldable(attention, out):
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

    def _tail_is_foldable(self, attention: AttentionLayer, out: Tensor) -> bool:
        return (
            attention.sees_means
            and not (self.with_plugins and self.after_conv3_plugin_names)
            and is_foldable(self.conv3, self.norm3, out)
            and not has_hooks(attention)
            and not has_hooks(self.relu)
        )


class FoldedResNeXtBottleneck(FoldedBottleneck, ResNeXtBottleneck):
    """:class:`AttentionResNeXtBottleneck`, likewise."""
