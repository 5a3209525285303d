"""ResNet with attention-augmented convolutions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmdet.registry import MODELS
from torch import nn

from ...errors import UserError
from ..attention import AugmentedConv2d
from ..attention.attention_layer import Size
from .attention_backbone import stages_with_attention
from .attention_resnet import AttentionResNet
from .gather_excite_resnet import map_sizes


@MODELS.register_module()
class AAResNet(AttentionResNet):
    """AA-Net (ICCV 2019): the 3x3 convolutions of c3 to c5 with self-attention.

    For classification give ``image_size=224``, the default. For detection give the
    size of the padded images, such as ``image_size=(800, 1344)``: the tables of
    offsets then reach over their maps. Maps of more than ``max_positions`` positions
    are pooled for the attention.

    Args:
        depth (int): Depth of the network, one of 50, 101 and 152.
        image_size (int | tuple[int]): Height and width of the largest images.
        stages (Sequence[bool], optional): Whether a stage has augmented convolutions;
            by default all but the first, "c3-c5".
        heads (int): Heads of the attention.
        k (float): Share of the channels that the keys have.
        v (float): Share of the channels that come from attention.
        max_positions (int): Positions of a map that attention sees as they are.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention`` and ``attention_blocks``.

    Raises:
        UserError: If the depth has no bottlenecks, the channels, the stages or the
            image size do not fit, ``dcn`` or ``conv_cfg`` replaces the same
            convolutions, or, while weights are loaded, if the attention in a
            checkpoint does not fit.
    """

    def __init__(
        self,
        depth: int,
        image_size: Size = 224,
        stages: Sequence[bool] | None = None,
        heads: int = 8,
        k: float = 0.2,
        v: float = 0.1,
        max_positions: int = 64 * 64,
        **kwargs: Any,
    ) -> None:
        if depth in (18, 34):
            raise UserError(f'depth must be 50, 101 or 152, got {depth}')
        self.augmented_stages = stages_with_attention(
            stages, kwargs.get('num_stages', 4)
        )
        self.map_sizes = map_sizes(image_size, **kwargs)
        self.augmented_conv = partial(
            AugmentedConv2d, heads=heads, k=k, v=v, max_positions=max_positions
        )
        super().__init__(depth, **kwargs)

    def make_res_layer(self, block: type, **kwargs: Any) -> Any:
        """Builds the next stage, with the middle convolutions augmented."""
        number = len(self.res_layers)
        stage: Any = super().make_res_layer(block=block, **kwargs)
        if self.augmented_stages[number]:
            for bottleneck in stage:
                conv = bottleneck.conv2
                if type(conv) is not nn.Conv2d:
                    raise UserError(
                        f'stage {number + 1} has {type(conv).__name__} where AAResNet '
                        'has augmented convolutions; leave dcn and conv_cfg out, or '
                        'the stage out of stages'
                    )
                bottleneck.conv2 = self.augmented_conv(
                    conv.in_channels,
                    conv.out_channels,
                    stride=bottleneck.conv2_stride,
                    dilation=bottleneck.dilation,
                    map_size=self.map_sizes[number],
                )
        return stage
