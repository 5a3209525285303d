"""The residual blocks in less time and memory.

A norm on stored statistics folds into the convolution before it, and the mean of a 1x1
convolution's output is the convolution of its input's mean. So a bottleneck knows the
weights of its channels before its last convolution runs, and norm, attention, shortcut
and ReLU are one operation, :func:`fused_gate_add_relu`. That is 'folded'.

For cuDNN a convolution with a bias is two passes, so that folding saves none. There the
convolutions and norms stay, and from the last convolution's output on all is one
operation, :func:`fused_norm_gate_add_relu`, which kernels of torch.compile run. That is
'fused'; a folded block runs so, too, where its norms are on the batch's statistics.

Where a block does not allow it, it runs as in ``residual_blocks.py``, which is the same
function.
"""

from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn import functional as F

from ...ops import (
    as_node,
    can_fuse_norm,
    conv_norm,
    fold_norm,
    fused_gate_add_relu,
    fused_norm_gate_add_relu,
    has_hooks,
    is_foldable,
    run_folded,
)
from ..attention import AttentionLayer
from .residual_blocks import AttentionBasicBlock, AttentionBottleneck, ResidualBlock

# How blocks run by default on a type of device; on others layer by layer.
FORMS = dict(cpu='folded', cuda='fused')


def form_on(device: str, folded: bool | None) -> str:
    """Returns how a block runs: 'folded', 'fused' or 'direct', which is layer by layer.

    Args:
        device (str): Type of the device.
        folded (bool, optional): The user's choice.
    """
    if folded is not None:
        return 'folded' if folded else 'direct'
    return FORMS.get(device, 'direct')


class _Folded(ResidualBlock):
    """Runs the block in the form of its device, or in the one that is asked for."""

    folded: bool | None = None

    def forward(self, x: Tensor) -> Tensor:
        # torch.fx cannot follow a choice by the input's size.
        return as_node(self, x) if isinstance(x, Proxy) else super().forward(x)

    def conv_norm(self, conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
        if form_on(x.device.type, self.folded) == 'folded':
            return conv_norm(conv, norm, x)
        return super().conv_norm(conv, norm, x)

    def shortcut(self, x: Tensor) -> Tensor:
        if self.downsample is None or form_on(x.device.type, self.folded) != 'folded':
            return super().shortcut(x)
        return run_folded(self.downsample, x)

    def run_end(self, out: Tensor, x: Tensor) -> Tensor:
        """See the base class; in one operation where that can be."""
        conv, norm = getattr(self, self.last_conv), getattr(self, self.last_norm)
        attention = self.attention
        form = form_on(x.device.type, self.folded)
        if form == 'direct' or self.why_not_fused() is not None:
            return super().run_end(out, x)
        assert attention is not None
        is_1x1 = conv.kernel_size == (1, 1)
        if form == 'folded' and is_1x1 and is_foldable(conv, norm, out):
            return self._run_folded_end(attention, out, x)
        if (
            (form == 'fused' or norm.training)
            and not (attention.is_additive and (norm.training or not is_1x1))
            and not has_hooks(norm)
            and can_fuse_norm(norm, out)
        ):
            return self._run_fused_end(attention, out, x)
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

    def extra_repr(self) -> str:
        """See the base class; the form and why it is that."""
        device = next(self.parameters()).device.type
        form = form_on(device, self.folded)
        if self.why_not_fused() is not None:
            return super().extra_repr()
        why = f'the default on {device}' if self.folded is None else 'folded=True'
        form = 'layer by layer' if form == 'direct' else form
        return f'end of the block: {form}, {why}'

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

    def _run_fused_end(
        self, attention: AttentionLayer, out: Tensor, x: Tensor
    ) -> Tensor:
        conv, norm = getattr(self, self.last_conv), getattr(self, self.last_norm)
        gate: AttentionLayer | None = attention
        weights: list[Tensor] = [*attention.parameters()]
        if attention.is_additive:
            weight, bias = fold_norm(conv, norm)
            gate = None
            weights = [attention.gate_before_conv(out, weight.flatten(1), bias)]
        return fused_norm_gate_add_relu(
            conv(out), norm, gate, weights, self.shortcut(x)
        )


class FoldedBasicBlock(_Folded, AttentionBasicBlock):
    """:class:`AttentionBasicBlock` with its norms folded."""


class FoldedBottleneck(_Folded, AttentionBottleneck):
    """:class:`AttentionBottleneck` with its norms and its attention folded."""


class FoldedResNeXtBottleneck(FoldedBottleneck, ResNeXtBottleneck):
    """:class:`AttentionResNeXtBottleneck` with its norms and its attention folded."""
