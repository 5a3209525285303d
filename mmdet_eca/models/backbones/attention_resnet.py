"""ResNet with channel attention at the end of every residual branch."""

import itertools
from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_conv_layer, build_norm_layer
from mmdet.models.backbones import ResNet, ResNetV1d, ResNeXt
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.fx import Proxy

from ...errors import UserError
from ...ops import conv_norm, run_folded
from ..attention.attention_layer import check_positive_integer
from .attention_backbone import (
    Attention,
    AttentionBackbone,
    AttentionBlocks,
    choose_blocks,
    one_per_stage,
)
from .folded_blocks import (
    FoldedBasicBlock,
    FoldedBottleneck,
    FoldedResNeXtBottleneck,
    form_on,
)
from .residual_blocks import (
    AttentionBasicBlock,
    AttentionBottleneck,
    AttentionResNeXtBottleneck,
)

# The blocks that take attention, by mmdet's.
BLOCKS = {
    BasicBlock: AttentionBasicBlock,
    Bottleneck: AttentionBottleneck,
    ResNeXtBottleneck: AttentionResNeXtBottleneck,
}
FOLDED_BLOCKS = {
    BasicBlock: FoldedBasicBlock,
    Bottleneck: FoldedBottleneck,
    ResNeXtBottleneck: FoldedResNeXtBottleneck,
}


@MODELS.register_module()
class AttentionResNet(AttentionBackbone, ResNet):
    """ResNet with a channel attention layer in every residual block.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        attention (dict | Sequence[dict | None], optional): Config of the
            attention layer, or one config a stage. ``in_channels`` is filled
            in. None gives mmdet's plain ResNet.
        attention_blocks (str | Sequence[Sequence[int]]): Which blocks have the
            attention: 'all', the 'last' of every stage, or for every stage the
            numbers of its blocks, from 0.
        folded (bool, optional): How the blocks run; it is the same function in every
            form. True: a norm that runs on stored statistics (``norm_eval``,
            evaluation) is folded into the convolution before it, and the attention
            into the last one, which takes the least memory. Layers with hooks, and
            those whose weights are larger than their maps, run one by one all the
            same. On the batch's statistics, in training from scratch, the last norm
            and the attention are one operation, which keeps for the backward pass what
            the plain block keeps. False: layer by layer. None, the default: as with
            True on a CPU; on CUDA no norm is folded, and the last norm and the
            attention are one operation on either kind of statistics; elsewhere layer
            by layer. ``print(backbone)`` says which it is.
        strict_attention (bool): Whether a checkpoint with another attention
            (kind, kernel size, shape) is refused. If not, the layers that it
            does not fit keep their initialisation, a warning names them, and
            everything else is loaded.
        stage_blocks (Sequence[int], optional): Number of blocks a stage instead of
            those of ``depth``, which still gives their kind. timm's
            ``ecaresnetlight`` has (1, 1, 11, 3) blocks of depth 50.
        **kwargs: Every other argument of :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, if there is not one attention or one
            number of blocks a stage, if ``attention_blocks`` names a block that is
            not there, or, while weights are loaded, if the attention in a checkpoint
            does not fit.
    """

    # Kind and numbers of the blocks by the depth.
    arch_settings: dict[int, tuple[type, tuple[int, ...]]]

    def __init__(
        self,
        depth: int,
        attention: Attention = None,
        attention_blocks: AttentionBlocks = 'all',
        folded: bool | None = None,
        strict_attention: bool = True,
        stage_blocks: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        if depth not in self.arch_settings:
            raise UserError(
                f'depth must be one of {list(self.arch_settings)}, got {depth!r}'
            )
        num_stages = kwargs.get('num_stages', 4)
        self.stage_attention = one_per_stage('attention', attention, num_stages)
        if stage_blocks is not None:
            _check_positive_integers('stage_blocks', stage_blocks, num_stages)
            block, _ = self.arch_settings[depth]
            self.arch_settings = {depth: (block, tuple(stage_blocks))}
        self.attention_blocks = attention_blocks
        self.folded = folded
        super().__init__(depth=depth, strict_attention=strict_attention, **kwargs)

    def make_res_layer(self, block: type, **kwargs: Any) -> nn.Sequential:
        """Builds the next stage, with attention in its blocks."""
        number = len(self.res_layers)
        blocks = BLOCKS if self.folded is False else FOLDED_BLOCKS
        stage = super().make_res_layer(block=blocks[block], **kwargs)
        for residual in stage:
            residual.folded = self.folded
        for index in choose_blocks(
            'attention_blocks',
            self.attention_blocks,
            number,
            self.num_stages,
            len(stage),
        ):
            stage[index].add_attention(
                self.stage_attention[number], stage[index].out_channels
            )
        return stage

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps images (N, 3, H, W) to the feature maps of ``out_indices``."""
        if isinstance(x, Proxy) or form_on(x.device.type, self.folded) != 'folded':
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


class DeeperResNetV1d(ResNetV1d):
    """mmdet's ResNetV1d with more depths and with other stems.

    Args:
        stem_widths (Sequence[int], optional): Output channels of the first two of
            the stem's three convolutions, by default half the third's.
        **kwargs: Arguments of :class:`mmdet.models.ResNetV1d`.

    Raises:
        UserError: If ``stem_widths`` are not two positive integers.
    """

    arch_settings: dict[int, tuple[type, tuple[int, ...]]] = {
        **ResNetV1d.arch_settings,
        200: (Bottleneck, (3, 24, 36, 3)),
        269: (Bottleneck, (3, 30, 48, 8)),
    }

    def __init__(
        self, *args: Any, stem_widths: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        if stem_widths is not None:
            _check_positive_integers('stem_widths', stem_widths, 2)
        self.stem_widths = stem_widths
        super().__init__(*args, **kwargs)

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        if self.stem_widths is None:
            return
        widths = (in_channels, *self.stem_widths, stem_channels)
        for number, (before, after) in enumerate(itertools.pairwise(widths)):
            self.stem[3 * number] = build_conv_layer(
                self.conv_cfg,
                before,
                after,
                kernel_size=3,
                stride=1 if number else 2,
                padding=1,
                bias=False,
            )
            self.stem[3 * number + 1] = build_norm_layer(self.norm_cfg, after)[1]


@MODELS.register_module()
class AttentionResNetV1d(AttentionResNet, DeeperResNetV1d):
    """:class:`mmdet.models.ResNetV1d` with attention in every block.

    Arguments as of :class:`AttentionResNet`; depths 200 and 269 too. With
    ``stem_widths``, two integers, the first two of the stem's three convolutions have
    other output channels than half the third's: (24, 32) as in timm's networks whose
    names end in 't', such as ``ecaresnet50t``.
    """


@MODELS.register_module()
class AttentionResNeXt(AttentionResNet, ResNeXt):
    """:class:`mmdet.models.ResNeXt` with attention in every block.

    Arguments as of :class:`AttentionResNet`, and ``groups`` and ``base_width``;
    depths 50, 101 and 152.
    """


def _check_positive_integers(name: str, values: Sequence[int], number: int) -> None:
    if len(values) != number:
        raise UserError(f'{name} must be {number} numbers, got {values!r}')
    for value in values:
        check_positive_integer(name, value)
