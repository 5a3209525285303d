"""mmdet's backbones with attention."""

from .a2_resnet import A2ResNet
from .aa_resnet import AAResNet
from .attention_mobilenet_v2 import AttentionMobileNetV2, ECAMobileNetV2
from .attention_resnet import AttentionResNet, AttentionResNetV1d, AttentionResNeXt
from .eca_resnet import ECAResNet, ECAResNetV1d, ECAResNeXt
from .efficientnet_lite import AttentionEfficientNetLite, ECAEfficientNetLite
from .gather_excite_resnet import GEResNet
from .other_systems import CBAMResNet, GCResNet, GSoPResNet, NonLocalResNet
from .se_resnet import SEResNet, SEResNetV1d

__all__ = [
    'A2ResNet',
    'AAResNet',
    'AttentionEfficientNetLite',
    'AttentionMobileNetV2',
    'AttentionResNeXt',
    'AttentionResNet',
    'AttentionResNetV1d',
    'CBAMResNet',
    'ECAEfficientNetLite',
    'ECAMobileNetV2',
    'ECAResNeXt',
    'ECAResNet',
    'ECAResNetV1d',
    'GCResNet',
    'GEResNet',
    'GSoPResNet',
    'NonLocalResNet',
    'SEResNet',
    'SEResNetV1d',
]
