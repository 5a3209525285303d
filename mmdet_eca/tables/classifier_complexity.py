"""Parameters and operations of a classifier, Table 3 of the ECA-Net paper."""

from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import nn

from ..models import ChannelAttention

# Operations on each element of what a layer gives out (a pooled one: takes in).
_PER_ELEMENT = ((nn.BatchNorm2d, 4), (nn.ReLU, 1), (nn.ReLU6, 1), (ChannelAttention, 1))


class Complexity(NamedTuple):
    """Counts; the paper gives them in units of 2^20 and 2^30, the operations of
    MobileNetV2 in units of 2^20."""

    parameters: int
    operations: int


def classifier_complexity(model: dict, size: int = 224) -> Complexity:
    """Counts what a classifier has and does for one image.

    The paper's way, found by its figures: a multiply-add of a convolution or a
    linear layer is one operation; a batch norm has four an element (subtract,
    divide, scale, shift), a ReLU and the pooling of an attention layer one.
    Nothing is allocated or computed.

    Args:
        model (dict): Config of the model, as in ``configs/imagenet``.
        size (int): Side of the image in pixels.
    """
    # Here: training and detecting do without it.
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device('meta'):
        classifier = MODELS.build(ConfigDict(model)).eval()
        images = torch.empty(1, 3, size, size)
    elementwise = []
    for module in classifier.modules():
        for kind, operations in _PER_ELEMENT:
            if isinstance(module, kind):
                module.register_forward_hook(
                    lambda _, inputs, out, operations=operations: elementwise.append(
                        operations * out.numel()
                    )
                )
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        classifier(images)
    return Complexity(
        sum(parameter.numel() for parameter in classifier.parameters()),
        counter.get_total_flops() // 2 + sum(elementwise),
    )
