"""ResNet with convolutional block attention."""

from typing import Any

from mmdet.registry import MODELS

from .attention_resnet import AttentionResNet


@MODELS.register_module()
class CBAMResNet(AttentionResNet):
    """ResNet with CBAM (ECCV 2018) in every residual block.

    The authors' ImageNet weights load through ``tools/convert_checkpoint.py``.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        ratio (int): Reduction r of the channel gate.
        bias (bool): Whether the channel gate's layers add a bias; the authors' do.
            The ECA-Net paper's Table 3 counts the network without.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention``.

    Raises:
        UserError: If the depth is unknown, the ratio does not fit, or, while
            weights are loaded, if the attention in a checkpoint does not fit.
    """

    def __init__(
        self, depth: int, ratio: int = 16, bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(
            depth, attention=dict(type='mmdet.CBAM', ratio=ratio, bias=bias), **kwargs
        )
