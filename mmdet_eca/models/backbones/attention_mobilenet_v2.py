"""MobileNetV2 with channel attention at the end of every inverted residual."""

from typing import Any

from mmdet.models.backbones import MobileNetV2
from mmdet.models.layers import InvertedResidual
from mmdet.registry import MODELS
from torch import Tensor, nn

from .attention_backbone import (
    Attention,
    AttentionBackbone,
    AttentionBlock,
    KernelSize,
    eca_per_stage,
    one_per_stage,
)


class AttentionInvertedResidual(AttentionBlock, InvertedResidual):
    """mmdet's InvertedResidual with channel attention on its last convolution.

    It has no SE of its own.

    Args:
        attention (dict, optional): Config of the channel attention.
        **kwargs: Arguments of mmdet's block.
    """

    def __init__(
        self, *args: Any, attention: dict | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.add_attention(attention, self.linear_conv.conv.out_channels)

    @property
    def last_norm(self) -> str:
        """The name of the norm before the attention."""
        return f'linear_conv.{self.linear_conv.norm_name}'

    def run(self, x: Tensor) -> Tensor:
        """The block itself, shapes as of :meth:`forward`."""
        out = self.expand_conv(x) if self.with_expand_conv else x
        out = self.linear_conv(self.depthwise_conv(out))
        if self.attention is not None:
            out = self.attention(out)
        return x + self.drop_path(out) if self.with_res_shortcut else out


@MODELS.register_module()
class AttentionMobileNetV2(AttentionBackbone, MobileNetV2):
    """MobileNetV2 with a channel attention layer in every inverted residual.

    Args:
        attention (dict | Sequence[dict | None], optional): Config of the
            attention layer, or one config for each of the seven stages.
            ``in_channels`` is filled in. The paper compares with
            ``dict(type='SqueezeExcitation', ratio=8)``.
        strict_attention (bool): See :class:`AttentionResNet`.
        **kwargs: Every argument of :class:`mmdet.models.MobileNetV2`.

    Raises:
        UserError: If there is not one attention a stage, or, while weights are
            loaded, if the attention in a checkpoint does not fit.
    """

    in_channels: int  # of the next block

    def __init__(
        self, attention: Attention = None, strict_attention: bool = True, **kwargs: Any
    ) -> None:
        self.stage_attention = one_per_stage(
            'attention', attention, len(self.arch_settings)
        )
        super().__init__(strict_attention=strict_attention, **kwargs)

    def make_layer(
        self, out_channels: int, num_blocks: int, stride: int, expand_ratio: int
    ) -> nn.Sequential:
        """Builds the next stage, as mmdet's does, with attention."""
        attention = self.stage_attention[len(self.layers)]
        blocks = []
        for index in range(num_blocks):
            blocks.append(
                AttentionInvertedResidual(
                    self.in_channels,
                    out_channels,
                    mid_channels=round(self.in_channels * expand_ratio),
                    stride=stride if index == 0 else 1,
                    with_expand_conv=expand_ratio != 1,
                    conv_cfg=self.conv_cfg,
                    norm_cfg=self.norm_cfg,
                    act_cfg=self.act_cfg,
                    with_cp=self.with_cp,
                    attention=attention,
                )
            )
            self.in_channels = out_channels
        return nn.Sequential(*blocks)


@MODELS.register_module()
class ECAMobileNetV2(AttentionMobileNetV2):
    """MobileNetV2 with Efficient Channel Attention, ECA-Net (CVPR 2020).

    Args:
        kernel_size (int | Sequence[int | None], optional): Kernel size of the
            attention, or one for each of the seven stages. None takes the
            adaptive size of :func:`eca_kernel_size`. The authors' code has
            (1, 1, 1, 1, 1, 3, 3).
        **kwargs: ``strict_attention`` as of :class:`AttentionResNet`, and every
            argument of :class:`mmdet.models.MobileNetV2`.

    Raises:
        UserError: If a kernel size is not a positive odd integer or None, there
            is not one a stage, or, while weights are loaded, if the kernel
            sizes in a checkpoint differ.
    """

    def __init__(self, kernel_size: KernelSize = None, **kwargs: Any) -> None:
        super().__init__(
            attention=eca_per_stage(kernel_size, len(self.arch_settings)), **kwargs
        )
