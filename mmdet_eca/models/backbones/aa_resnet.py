"""ResNet with attention-augmented convolutions."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Union

from mmdet.registry import MODELS

from ...errors import UserError
from ..attention import AugmentedConv2d
from .attention_backbone import one_per_stage
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
        stages (Sequence[bool]): Whether a stage has augmented convolutions.
        heads (int): Heads of the attention.
        k (float): Share of the channels that the keys have.
        v (float): Share of the channels that come from attention.
        max_positions (int): Positions of a map that attention sees as they are.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention`` and ``attention_blocks``.

    Raises:
        UserError: If the depth has no bottlenecks, or the channels do not fit.
    """

    def __init__(
        self,
        depth: int,
        image_size: Union[int, tuple[int, int]] = 224,
        stages: Sequence[bool] = (False, True, True, True),
        heads: int = 8,
        k: float = 0.2,
        v: float = 0.1,
        max_positions: int = 64 * 64,
        **kwargs: Any,
    ) -> None:
        if depth in (18, 34):
            raise UserError(f'depth must be 50, 101 or 152, got {depth}')
        num_stages = kwargs.get('num_stages', 4)
        self.augmented_stages = one_per_stage('stages', stages, num_stages)
        self.map_sizes = map_sizes(image_size, num_stages)
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
                bottleneck.conv2 = self.augmented_conv(
                    bottleneck.conv2.in_channels,
                    bottleneck.conv2.out_channels,
                    stride=bottleneck.conv2_stride,
                    map_size=self.map_sizes[number],
                )
        return stage
