"""The family of channel attentions: ``y = x * sigmoid(f(GAP(x)))``."""

from .channel_attention import ChannelAttention
from .eca import ECALayer, ECANonShared, eca_kernel_size
from .se import SEGroup, SEVar1, SEVar2, SEVar3, SqueezeExcitation

__all__ = [
    'ChannelAttention',
    'ECALayer',
    'ECANonShared',
    'SEGroup',
    'SEVar1',
    'SEVar2',
    'SEVar3',
    'SqueezeExcitation',
    'eca_kernel_size',
]
