"""ResNet with squeeze-and-excitation."""

from typing import Any

from mmdet.registry import MODELS

from .attention_resnet import AttentionResNet, DeeperResNetV1d


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
        self, depth: int, ratio: int = 16, bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(
            depth,
            attention=dict(type='mmdet.SqueezeExcitation', ratio=ratio, bias=bias),
            **kwargs,
        )


@MODELS.register_module()
class SEResNetV1d(SEResNet, DeeperResNetV1d):
    """:class:`mmdet.models.ResNetV1d` with squeeze-and-excitation.

    Arguments as of :class:`SEResNet`, and ``stem_widths`` as of
    :class:`AttentionResNetV1d`; depths 200 and 269 too.
    """
