"""ResNet with double attention."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import Sequential
from torch import nn

from ..attention import DoubleAttention
from .attention_backbone import choose_blocks
from .attention_resnet import AttentionResNet


@MODELS.register_module()
class A2ResNet(AttentionResNet):
    """A2-Net (NeurIPS 2018): five double attention units between the blocks.

    They follow the blocks 1 and 3 of c3 and 1, 3 and 5 of c4 of a ResNet-50, as in
    later code of the paper's first author, which has as many. The units are named
    ``layerL.a2_B`` after the block B that they follow; all other names stay those of
    the plain network.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        ratio (int): Reduction r of the units: 2 reproduces the 33.0 M parameters of
            the ECA-Net paper's Table 3 to 0.3 %, 4 is what the text of A2-Nets says.
        units_after (Sequence[Sequence[int]], optional): For every stage the numbers of
            the blocks, from 0, that a unit follows; by default the five.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention`` and ``attention_blocks``.

    Raises:
        UserError: If the depth is unknown, the ratio does not fit, or a stage has no
            such block.
    """

    def __init__(
        self,
        depth: int,
        ratio: int = 2,
        units_after: Sequence[Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.ratio = ratio
        if units_after is None:
            units_after = ((), (1, 3), (1, 3, 5), ())[: kwargs.get('num_stages', 4)]
        self.units_after = units_after
        super().__init__(depth, **kwargs)

    def make_res_layer(self, block: type, **kwargs: Any) -> nn.Sequential:
        """Builds the next stage, with units between its blocks."""
        number = len(self.res_layers)
        stage: Any = super().make_res_layer(block=block, **kwargs)
        after = choose_blocks(
            'units_after', self.units_after, number, self.num_stages, len(stage)
        )
        modules: OrderedDict[str, nn.Module] = OrderedDict()
        for index, residual in enumerate(stage):
            modules[str(index)] = residual
            if index in after:
                unit = DoubleAttention(residual.out_channels, self.ratio)
                modules[f'a2_{index}'] = unit
        return Sequential(modules)
