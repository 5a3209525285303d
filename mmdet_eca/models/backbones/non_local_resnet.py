"""ResNet with a non-local block."""

from collections import OrderedDict
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import Sequential
from torch import nn

from ..attention.non_local import NonLocalBlock
from .attention_resnet import AttentionResNet


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
