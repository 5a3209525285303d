"""The residual blocks in less time and memory.

A norm on stored statistics folds into the convolution before it, and the mean of a 1x1
convolution's output is the convolution of its input's mean. So a bottleneck knows the
weights of its channels before its last convolution runs, and norm, attention, shortcut
and ReLU are one operation, :func:`fused_gate_add_relu`. On the batch's statistics the
norm stays, and the rest is one operation with it, :func:`fused_norm_gate_add_relu`.
Where a block does not allow it, it runs as in ``residual_blocks.py``, which is the same
function.
"""

from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn import functional as F

from ...ops import (
    as_node,
    conv_norm,
    fold_norm,
    fused_gate_add_relu,
    fused_norm_gate_add_relu,
    has_hooks,
    is_foldable,
    run_folded,
    uses_batch_statistics,
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

    def run_end(self, out: Tensor, x: Tensor) -> Tensor:
        """See the base class; in one operation where that can be.

        On stored statistics the gate is known before a 1x1 convolution runs. On the
        batch's the norm stays, and what follows is one operation with it.
        """
        conv, norm = getattr(self, self.last_conv), getattr(self, self.last_norm)
        attention = self.attention
        if self.why_not_fused() is None:
            assert attention is not None
            if conv.kernel_size == (1, 1) and is_foldable(conv, norm, out):
                return self._run_folded_end(attention, out, x)
            if (
                not attention.is_additive
                and not has_hooks(norm)
                and uses_batch_statistics(norm, out)
            ):
                return fused_norm_gate_add_relu(
                    conv(out),
                    norm,
                    attention.gate,
                    [*attention.parameters()],
                    self.shortcut(x),
                )
        return super().run_end(out, x)

    def why_not_fused(self) -> str | None:
        """See the base class."""
        attention = self.attention
        if attention is None:
            return 'there is no attention'
        if not attention.depends_on_channel_means:
            return 'its gate needs more than the means of the channels'
        if self.plugins_after_attention:
            return 'plugins follow the attention'
        if has_hooks(attention) or has_hooks(self.relu):
            return 'hooks are registered'
        return None

    def _run_folded_end(
        self, attention: AttentionLayer, out: Tensor, x: Tensor
    ) -> Tensor:
        weight, bias = fold_norm(
            getattr(self, self.last_conv), getattr(self, self.last_norm)
        )
        weight = weight.flatten(1)
        known = attention.gate_before_conv(out, weight, bias)
        if not attention.is_additive:
            return fused_gate_add_relu(out, weight, bias, known, self.shortcut(x))
        out = F.conv2d(out, weight[:, :, None, None], bias)
        out += known[:, :, None, None]
        out += self.shortcut(x)
        return F.relu(out, inplace=True)


class FoldedBasicBlock(_Folded, AttentionBasicBlock):
    """:class:`AttentionBasicBlock` with its norms folded."""


class FoldedBottleneck(_Folded, AttentionBottleneck):
    """:class:`AttentionBottleneck` with its norms and its attention folded."""


class FoldedResNeXtBottleneck(FoldedBottleneck, ResNeXtBottleneck):
    """:class:`AttentionResNeXtBottleneck` with its norms and its attention folded."""
