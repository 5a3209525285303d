"""ResNet with global second-order pooling."""

from typing import Any

from mmdet.registry import MODELS

from .attention_resnet import AttentionResNet


@MODELS.register_module()
class GSoPResNet(AttentionResNet):
    """GSoP-Net1 (CVPR 2019): second-order attention in the last block of a stage.

    The authors' classifier keeps the resolution of the third stage in the fourth:
    ``strides=(1, 2, 2, 1)``. A detector wants mmdet's (1, 2, 2, 2), the default
    here. Their ImageNet weights load through ``tools/convert_checkpoint.py``.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        width (int): Channels whose covariance is computed.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention``. ``attention_blocks`` is 'last' by default; the 28.05 M
            parameters of the ECA-Net paper's Table 3 are those without the first
            stage's: ``attention_blocks=((), (3, ), (5, ), (2, ))``.

    Raises:
        UserError: If the depth is unknown, or, while weights are loaded, if the
            attention in a checkpoint does not fit.
    """

    def __init__(self, depth: int, width: int = 128, **kwargs: Any) -> None:
        kwargs.setdefault('attention_blocks', 'last')
        super().__init__(
            depth,
            attention=[
                dict(type='mmdet.GSoP', width=width, stride=1 if stage else 2)
                for stage in range(kwargs.get('num_stages', 4))
            ],
            **kwargs,
        )
