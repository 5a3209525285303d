"""EfficientNet-Lite, with channel attention at the end of every inverted residual.

EfficientNet-Lite is EfficientNet (Tan and Le, ICML 2019) without its
squeeze-and-excitation, with ReLU6, and with a stem and a head that do not grow. So it
is the plain network that attention is put into:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

import math
from typing import Any

from mmdet.models.backbones import EfficientNet
from mmdet.models.utils import make_divisible
from mmdet.registry import MODELS
from mmengine.model import Sequential

from ...errors import UserError
from .attention_backbone import (
    Attention,
    AttentionBackbone,
    KernelSize,
    eca_per_stage,
    one_per_stage,
)
from .attention_mobilenet_v2 import AttentionInvertedResidual

# Factors of width and depth, and the size of the images of ImageNet.
ARCHITECTURES = dict(
    lite0=(1.0, 1.0, 224),
    lite1=(1.0, 1.1, 240),
    lite2=(1.1, 1.2, 260),
    lite3=(1.2, 1.4, 280),
    lite4=(1.4, 1.8, 300),
)
# Kernel size, channels, blocks, stride and expansion of EfficientNet-B0's seven stages,
# as many of one stride as mmdet has in one of its five.
_STAGES = (
    ((3, 16, 1, 1, 1),),
    ((3, 24, 2, 2, 6),),
    ((5, 40, 2, 2, 6),),
    ((3, 80, 3, 2, 6), (5, 112, 3, 1, 6)),
    ((5, 192, 4, 2, 6), (3, 320, 1, 1, 6)),
)


def block_settings(arch: str) -> list[list[list[int]]]:
    """Returns the blocks of an architecture as mmdet's EfficientNet takes them.

    Stem, five stages and head; for each block kernel size, output channels, 0 (no SE),
    stride, expansion, and 0 (an inverted residual; -1 for stem and head).
    """
    width, depth, _ = ARCHITECTURES[arch]
    stages = []
    for stage in _STAGES:
        blocks = []
        for kernel, channels, number, stride, expansion in stage:
            if channels not in (16, 320):  # the first and the last keep their one block
                number = math.ceil(number * depth)
            wide = make_divisible(channels * width, 8)
            for index in range(number):
                first = index == 0
                blocks.append([kernel, wide, 0, stride if first else 1, expansion, 0])
        stages.append(blocks)
    return [[[3, 32, 0, 2, 0, -1]], *stages, [[1, 1280, 0, 1, 0, -1]]]


@MODELS.register_module()
class AttentionEfficientNetLite(AttentionBackbone, EfficientNet):
    """EfficientNet-Lite with a channel attention layer in every inverted residual.

    The attention follows the last norm of a block, as in :class:`AttentionMobileNetV2`,
    so that it can start as the identity. EfficientNet's own SE follows the depthwise
    convolution.

    Args:
        arch (str): 'lite0' to 'lite4'.
        attention (dict | Sequence[dict | None], optional): Config of the attention
            layer, or one config for each of the five stages; None for the plain
            network. ``in_channels`` is filled in.
        out_indices (Sequence[int]): The maps that are returned: 2 to 5 have strides 4
            to 32.
        act_cfg (dict): Config of the activation.
        strict_attention (bool): See :class:`AttentionResNet`.
        **kwargs: Every other argument of :class:`mmdet.models.EfficientNet`. Weights
            that were trained with TensorFlow need ``conv_cfg`` as it is, and images of
            mean and standard deviation 127.5.

    Raises:
        UserError: If there is no such architecture, there is not one attention a
            stage, or, while weights are loaded, if their attention does not fit.
    """

    in_channels: int  # of the next block

    def __init__(
        self,
        arch: str = 'lite0',
        attention: Attention = None,
        out_indices: tuple[int, ...] = (2, 3, 4, 5),
        act_cfg: dict | None = None,
        strict_attention: bool = True,
        **kwargs: Any,
    ) -> None:
        if arch not in ARCHITECTURES:
            raise UserError(
                f'arch must be one of {", ".join(ARCHITECTURES)}, got {arch!r}'
            )
        self.stage_attention = one_per_stage('attention', attention, len(_STAGES))
        # mmdet's own table; its scaling would widen the stem and deepen all stages.
        self.layer_settings = {arch[:1]: block_settings(arch)}
        self.arch_settings = {arch: (1.0, 1.0, ARCHITECTURES[arch][2])}
        super().__init__(
            arch=arch,
            out_indices=out_indices,
            act_cfg=act_cfg or dict(type='ReLU6'),
            strict_attention=strict_attention,
            **kwargs,
        )

    def make_layer(self) -> None:
        """Builds the stages up to the last that is returned, with attention."""
        last = max(self.out_indices)
        stages = self.layer_setting[1:-1][:last]
        # Stochastic depth grows over all blocks, as in mmdet's EfficientNet.
        last_block = sum(map(len, self.layer_setting[1:-1])) - 1
        number = 0
        for attention, stage in zip(self.stage_attention, stages):
            blocks = []
            for kernel, channels, _, stride, expansion, _ in stage:
                mid_channels = int(self.in_channels * expansion)
                blocks.append(
                    AttentionInvertedResidual(
                        self.in_channels,
                        channels,
                        mid_channels,
                        kernel_size=kernel,
                        stride=stride,
                        with_expand_conv=mid_channels != self.in_channels,
                        conv_cfg=self.conv_cfg,
                        norm_cfg=self.norm_cfg,
                        act_cfg=self.act_cfg,
                        drop_path_rate=self.drop_path_rate * number / last_block,
                        with_cp=self.with_cp,
                        attention=attention,
                    )
                )
                self.in_channels = channels
                number += 1
            self.layers.append(Sequential(*blocks))


@MODELS.register_module()
class ECAEfficientNetLite(AttentionEfficientNetLite):
    """EfficientNet-Lite with Efficient Channel Attention, ECA-Net (CVPR 2020).

    Args:
        kernel_size (int | Sequence[int | None], optional): Kernel size of the
            attention, or one for each of the five stages; None takes the adaptive
            size of :func:`eca_kernel_size`.
        **kwargs: The other arguments of :class:`AttentionEfficientNetLite`.

    Raises:
        UserError: If a kernel size is not a positive odd integer or None.
    """

    def __init__(self, kernel_size: KernelSize = None, **kwargs: Any) -> None:
        super().__init__(attention=eca_per_stage(kernel_size, len(_STAGES)), **kwargs)
