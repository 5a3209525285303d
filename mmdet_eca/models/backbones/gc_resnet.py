"""ResNet with global context blocks."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS

from .attention_backbone import stages_with_attention
from .attention_resnet import AttentionResNet


@MODELS.register_module()
class GCResNet(AttentionResNet):
    """ResNet with GCNet's global context (ICCV workshops 2019) in whole stages.

    The parameters are named as those of mmcv's plugin ``ContextBlock``.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        ratio (int): Reduction r: 16 in ECA-Net's tables, 4 in GCNet's best detectors.
        stages (Sequence[bool], optional): Whether a stage has the blocks; by default
            all but the first, "c3-c5".
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention``.

    Raises:
        UserError: If the depth is unknown, the ratio or the stages do not fit, or,
            while weights are loaded, if the attention in a checkpoint does not fit.
    """

    def __init__(
        self,
        depth: int,
        ratio: int = 16,
        stages: Sequence[bool] | None = None,
        **kwargs: Any,
    ) -> None:
        layer = dict(type='mmdet.GlobalContext', ratio=ratio)
        super().__init__(
            depth,
            attention=[
                layer if with_context else None
                for with_context in stages_with_attention(
                    stages, kwargs.get('num_stages', 4)
                )
            ],
            **kwargs,
        )
