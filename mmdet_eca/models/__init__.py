from .attention import ChannelAttention, ECALayer, eca_kernel_size
from .backbones import AttentionResNet, ECAResNet
from .classifiers import ImageClassifier

__all__ = [
    'AttentionResNet', 'ChannelAttention', 'ECALayer', 'ECAResNet',
    'ImageClassifier', 'eca_kernel_size'
]
