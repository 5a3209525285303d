"""ResNets with the attention of other papers, each of which is one ``__init__``."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import Sequential
from torch import nn

from ..attention.non_local import NonLocalBlock
from .attention_backbone import stages_with_attention
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


@MODELS.register_module()
class NonLocalResNet(AttentionResNet):
    """ResNet with one non-local block right before the last block of c4.

    That is how "Non-local Neural Networks" (CVPR 2018,
    https://arxiv.org/abs/1711.07971) extends Mask R-CNN, and the row "NL" of
    GCNet's and of ECA-Net's tables. mmdet's plugins go into every block of a
    stage, so they cannot say it.

    The block is the embedded Gaussian form with half of the channels. It
    starts as the identity, and is named ``layer3.nonlocal_block``; all other
    names stay those of the plain network.

    Args:
        depth (int): Depth of the network; 50 or more gives the paper's 1024 channels.
        **kwargs: Every other argument of :class:`AttentionResNet`.

    Raises:
        UserError: If the depth is unknown.
    """

    def make_res_layer(self, block: type, **kwargs: Any) -> nn.Sequential:
        """Builds the next stage, c4 with the block before its last block."""
        stage: Any = super().make_res_layer(block=block, **kwargs)
        if len(self.res_layers) != 2:  # c2 and c3 are there
            return stage
        *blocks, last = stage.named_children()
        unit = NonLocalBlock(last[1].out_channels)
        return Sequential(OrderedDict([*blocks, ('nonlocal_block', unit), last]))
