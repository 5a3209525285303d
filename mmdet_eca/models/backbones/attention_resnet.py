"""ResNet with channel attention at the end of every residual branch."""

from typing import Tuple

import torch
import torch.utils.checkpoint as cp
from mmdet.models.backbones import ResNeXt
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn import functional as F

from ...errors import UserError
from ...ops import (
    as_node,
    attention_tail,
    conv_norm,
    folded_conv_norm,
    forget_folded,
    has_hooks,
    is_foldable,
    run_folded,
)
from .attention_backbone import (
    Attention,
    AttentionBackbone,
    AttentionBlock,
    KernelSize,
    eca_per_stage,
    one_per_stage,
)


class _ResidualBlock(AttentionBlock):
    """What both residual blocks share: ``relu(identity + attention(branch))``.

    Args:
        attention (dict, optional): Config of the channel attention.
        folded (bool): Whether norms on stored statistics are folded.
        **kwargs: Arguments of mmdet's block.
    """

    def __init__(self, *args, attention=None, folded=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.folded = folded
        self.add_attention(attention, getattr(self, self.last_conv).out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C_in, H, W) to (N, C_out, H / stride, W / stride)."""
        if isinstance(x, Proxy) and (self.folded or self.with_cp):
            return as_node(self, x)
        if self.with_cp and x.requires_grad:
            return cp.checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)

    def _conv_norm(self, conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
        return conv_norm(conv, norm, x) if self.folded else norm(conv(x))

    def _identity(self, x: Tensor) -> Tensor:
        if self.downsample is None:
            return x
        if self.folded:
            return run_folded(self.downsample, x)
        return self.downsample(x)

    def _add_and_relu(self, out: Tensor, x: Tensor) -> Tensor:
        out += self._identity(x)
        return self.relu(out)


class AttentionBasicBlock(_ResidualBlock, BasicBlock):
    """mmdet's BasicBlock with channel attention after the second norm."""

    last_conv = 'conv2'

    def _forward(self, x: Tensor) -> Tensor:
        out = self.relu(self._conv_norm(self.conv1, self.norm1, x))
        out = self._conv_norm(self.conv2, self.norm2, out)
        if self.attention_name is not None:
            out = self.attention(out)
        return self._add_and_relu(out, x)


class AttentionBottleneck(_ResidualBlock, Bottleneck):
    """mmdet's Bottleneck with channel attention after the third norm.

    Plugins keep their places; those ``after_conv3`` follow the attention.
    """

    last_conv = 'conv3'

    def _forward(self, x: Tensor) -> Tensor:
        out = self.relu(self._conv_norm(self.conv1, self.norm1, x))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv1_plugin_names)
        out = self.relu(self._conv_norm(self.conv2, self.norm2, out))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv2_plugin_names)
        if self._tail_is_foldable(out):
            return self._folded_tail(out, x)
        out = self._conv_norm(self.conv3, self.norm3, out)
        if self.attention_name is not None:
            out = self.attention(out)
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv3_plugin_names)
        return self._add_and_relu(out, x)

    def _tail_is_foldable(self, out: Tensor) -> bool:
        _, channels, h, w = out.shape
        return (
            self.folded
            and self.attention_name is not None
            and h * w > channels  # else the gated weights are the larger
            and not (self.with_plugins and self.after_conv3_plugin_names)
            and is_foldable(self.conv3, self.norm3, out)
            and not has_hooks(self.attention)
            and not has_hooks(self.relu)
        )

    def _folded_tail(self, out: Tensor, x: Tensor) -> Tensor:
        """With the norm folded into the third convolution, the mean of its
        output is the convolution of the mean of its input: the gate is known
        before the convolution runs."""
        weight, bias = folded_conv_norm(self.conv3, self.norm3)
        weight = weight.flatten(1)
        pooled = F.linear(_mean(out), weight, bias)
        return attention_tail(
            out, weight, bias, self.attention.gate(pooled), self._identity(x)
        )


def _mean(x: Tensor) -> Tensor:
    """Channel means (N, C). By the sum, whose gradient is a view of the size of
    x where the mean's is a copy; in float32, since half precision would
    overflow."""
    total = x.sum((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
    return (total / (x.shape[2] * x.shape[3])).to(x.dtype)


class AttentionResNeXtBottleneck(AttentionBottleneck, ResNeXtBottleneck):
    """mmdet's Bottleneck of ResNeXt, likewise."""


@MODELS.register_module()
class AttentionResNet(AttentionBackbone, ResNet):
    """ResNet with a channel attention layer in every residual block.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        attention (dict | Sequence[dict | None], optional): Config of the
            attention layer, or one config a stage. ``in_channels`` is filled
            in. None gives mmdet's plain ResNet.
        folded (bool): Whether a norm that runs on stored statistics
            (``norm_eval``, evaluation) is folded into the convolution before
            it, and the attention into the last one: the same function in less
            time and memory. Where a block does not allow it, and where a module
            of it has hooks, it runs layer by layer. In evaluation mode weights
            are folded once, and again when they change; after writing into
            their ``.data``, which leaves no trace, call ``eval()``.
        strict_attention (bool): Whether a checkpoint with another attention
            (kind, kernel size, shape) is refused. If not, the layers that it
            does not fit keep their initialisation, a warning names them, and
            everything else is loaded.
        **kwargs: Every other argument of :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, if there is not one attention a
            stage, or, while weights are loaded, if the attention in a
            checkpoint does not fit.
    """

    _blocks = {
        BasicBlock: AttentionBasicBlock,
        Bottleneck: AttentionBottleneck,
        ResNeXtBottleneck: AttentionResNeXtBottleneck,
    }

    def __init__(
        self,
        depth: int,
        attention: Attention = None,
        folded: bool = True,
        strict_attention: bool = True,
        **kwargs,
    ) -> None:
        if depth not in self.arch_settings:
            raise UserError(
                f'depth must be one of {list(self.arch_settings)}, got {depth!r}'
            )
        self.stage_attention = one_per_stage(
            'attention', attention, kwargs.get('num_stages', 4)
        )
        self.folded = folded
        super().__init__(depth, strict_attention=strict_attention, **kwargs)

    def make_res_layer(self, block: type, **kwargs) -> nn.Sequential:
        """Builds the next stage out of blocks that take ``attention``."""
        return super().make_res_layer(
            block=self._blocks[block],
            attention=self.stage_attention[len(self.res_layers)],
            folded=self.folded,
            **kwargs,
        )

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Maps images (N, 3, H, W) to the feature maps of ``out_indices``."""
        if not self.folded:
            return super().forward(x)
        if self.deep_stem:
            x = run_folded(self.stem, x)
        else:
            x = self.relu(conv_norm(self.conv1, self.norm1, x))
        x = self.maxpool(x)
        outs = []
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def train(self, mode: bool = True) -> 'AttentionResNet':
        """Sets the mode; drops what was folded for inference."""
        forget_folded(self)
        return super().train(mode)

    def _apply(self, *args, **kwargs) -> 'AttentionResNet':
        forget_folded(self)
        return super()._apply(*args, **kwargs)


class _V1d:
    """Deep stem and average-pooled downsampling, as mmdet's ResNetV1d."""

    arch_settings = {
        **ResNet.arch_settings,
        200: (Bottleneck, (3, 24, 36, 3)),
        269: (Bottleneck, (3, 30, 48, 8)),
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, deep_stem=True, avg_down=True, **kwargs)


class _NeXt:
    """Grouped 3x3 convolutions, as mmdet's ResNeXt.

    Args:
        groups (int): Groups of the 3x3 convolutions.
        base_width (int): Channels of a group in the first stage.
    """

    arch_settings = ResNeXt.arch_settings

    def __init__(self, *args, groups: int = 1, base_width: int = 4, **kwargs) -> None:
        self.groups = groups
        self.base_width = base_width
        super().__init__(*args, **kwargs)

    def make_res_layer(self, **kwargs) -> nn.Sequential:
        """Builds the next stage."""
        return super().make_res_layer(
            groups=self.groups,
            base_width=self.base_width,
            base_channels=self.base_channels,
            **kwargs,
        )


@MODELS.register_module()
class AttentionResNetV1d(_V1d, AttentionResNet):
    """:class:`mmdet.models.ResNetV1d` with attention in every block.

    Arguments as of :class:`AttentionResNet`; depths 200 and 269 too.
    """


@MODELS.register_module()
class AttentionResNeXt(_NeXt, AttentionResNet):
    """:class:`mmdet.models.ResNeXt` with attention in every block.

    Arguments as of :class:`AttentionResNet`, and ``groups`` and ``base_width``;
    depths 50, 101 and 152.
    """


@MODELS.register_module()
class ECAResNet(AttentionResNet):
    """ResNet with Efficient Channel Attention, ECA-Net (CVPR 2020).

    The layers are named as in torchvision, plus ``layerL.B.eca.conv.weight``,
    so the authors' ImageNet weights load without conversion.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        kernel_size (int | Sequence[int | None], optional): Kernel size of the
            attention, or one a stage. None takes the adaptive size of
            :func:`eca_kernel_size`: (5, 5, 5, 7) from depth 50 on. The
            authors' ImageNet weights have (3, 5, 5, 7) at depth 50 and
            (3, 3, 5, 7) at 101 and 152.
        **kwargs: ``folded`` and ``strict_attention`` as of
            :class:`AttentionResNet`, and every other argument of
            :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, a kernel size is not a positive odd
            integer or None, there is not one a stage, or, while weights are
            loaded, if the kernel sizes in a checkpoint differ.

    Example:
        >>> backbone = ECAResNet(50, kernel_size=(3, 5, 5, 7))
        >>> [tuple(out.shape) for out in backbone(torch.rand(1, 3, 64, 64))]
        [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 4, 4), (1, 2048, 2, 2)]
    """

    def __init__(self, depth: int, kernel_size: KernelSize = None, **kwargs) -> None:
        super().__init__(
            depth,
            attention=eca_per_stage(kernel_size, kwargs.get('num_stages', 4)),
            **kwargs,
        )


@MODELS.register_module()
class ECAResNetV1d(_V1d, ECAResNet):
    """:class:`mmdet.models.ResNetV1d` with ECA; timm's ``ecaresnet50d`` family.

    Arguments as of :class:`ECAResNet`; depths 200 and 269 too.
    """


@MODELS.register_module()
class ECAResNeXt(_NeXt, ECAResNet):
    """:class:`mmdet.models.ResNeXt` with ECA.

    Arguments as of :class:`ECAResNet`, and ``groups`` and ``base_width``;
    depths 50, 101 and 152.
    """


@MODELS.register_module()
class SEResNet(AttentionResNet):
    """ResNet with squeeze-and-excitation, SENet (CVPR 2018).

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        ratio (int): Reduction r.
        bias (bool): Whether the layers of the attention add a bias.
        **kwargs: ``folded`` and ``strict_attention`` as of
            :class:`AttentionResNet`, and every other argument of
            :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, the ratio does not fit, or, while
            weights are loaded, if the attention in a checkpoint does not fit.
    """

    def __init__(
        self, depth: int, ratio: int = 16, bias: bool = False, **kwargs
    ) -> None:
        super().__init__(
            depth,
            attention=dict(type='mmdet.SqueezeExcitation', ratio=ratio, bias=bias),
            **kwargs,
        )


@MODELS.register_module()
class SEResNetV1d(_V1d, SEResNet):
    """:class:`mmdet.models.ResNetV1d` with squeeze-and-excitation.

    Arguments as of :class:`SEResNet`; depths 200 and 269 too.
    """
