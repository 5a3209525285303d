"""ResNet with ECA, Efficient Channel Attention."""

from typing import Any

from mmdet.models.backbones import ResNeXt
from mmdet.registry import MODELS

from .attention_backbone import KernelSize, eca_per_stage
from .attention_resnet import AttentionResNet, DeeperResNetV1d


@MODELS.register_module()
class ECAResNet(AttentionResNet):
    """ResNet with Efficient Channel Attention, ECA-Net (CVPR 2020).

    The layers are named as in torchvision, plus ``layerL.B.eca.conv.weight``,
    so the authors' ImageNet weights load without conversion.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        kernel_size (int | Sequence[int | None], optional): Kernel size of the
            attention, or one a stage. None takes the adaptive size of
            :func:`eca_kernel_size`: (5, 5, 5, 7) from depth 50 on. The
            authors' ImageNet weights have (3, 5, 5, 7) at depth 50 and
            (3, 3, 5, 7) at 101 and 152.
        **kwargs: ``folded`` and ``strict_attention`` as of
            :class:`AttentionResNet`, and every other argument of
            :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, a kernel size is not a positive odd
            integer or None, there is not one a stage, or, while weights are
            loaded, if the kernel sizes in a checkpoint differ.

    Example:
        >>> import torch
        >>> backbone = ECAResNet(50, kernel_size=(3, 5, 5, 7))
        >>> [tuple(out.shape) for out in backbone(torch.rand(1, 3, 64, 64))]
        [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 4, 4), (1, 2048, 2, 2)]
    """

    def __init__(
        self, depth: int, kernel_size: KernelSize = None, **kwargs: Any
    ) -> None:
        super().__init__(
            depth,
            attention=eca_per_stage(kernel_size, kwargs.get('num_stages', 4)),
            **kwargs,
        )


@MODELS.register_module()
class ECAResNetV1d(ECAResNet, DeeperResNetV1d):
    """:class:`mmdet.models.ResNetV1d` with ECA; timm's ``ecaresnet50d`` family.

    Arguments as of :class:`ECAResNet`, and ``stem_widths`` as of
    :class:`AttentionResNetV1d`; depths 200 and 269 too.
    """


@MODELS.register_module()
class ECAResNeXt(ECAResNet, ResNeXt):
    """:class:`mmdet.models.ResNeXt` with ECA.

    Arguments as of :class:`ECAResNet`, and ``groups`` and ``base_width``;
    depths 50, 101 and 152.
    """
