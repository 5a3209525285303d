"""mmdet's backbones with channel attention."""

from .attention_mobilenet_v2 import AttentionMobileNetV2, ECAMobileNetV2
from .attention_resnet import AttentionResNet, AttentionResNetV1d, AttentionResNeXt
from .eca_resnet import ECAResNet, ECAResNetV1d, ECAResNeXt
from .non_local_resnet import NonLocalResNet
from .se_resnet import SEResNet, SEResNetV1d

__all__ = [
    'AttentionMobileNetV2',
    'AttentionResNeXt',
    'AttentionResNet',
    'AttentionResNetV1d',
    'ECAMobileNetV2',
    'ECAResNeXt',
    'ECAResNet',
    'ECAResNetV1d',
    'NonLocalResNet',
    'SEResNet',
    'SEResNetV1d',
]
