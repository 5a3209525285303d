"""The family of channel attentions, and the other attention of ECA-Net's Table 3."""

from .attention_layer import AttentionLayer
from .augmented_conv import AugmentedConv2d
from .cbam import CBAM
from .channel_attention import ChannelAttention
from .double_attention import DoubleAttention
from .eca import ECALayer, ECANonShared, eca_kernel_size
from .gather_excite import GatherExcite
from .global_context import GlobalContext
from .gsop import GSoP
from .scse import SCSE
from .se import SEGroup, SEVar1, SEVar2, SEVar3, SqueezeExcitation

__all__ = [
    'CBAM',
    'SCSE',
    'AttentionLayer',
    'AugmentedConv2d',
    'ChannelAttention',
    'DoubleAttention',
    'ECALayer',
    'ECANonShared',
    'GSoP',
    'GatherExcite',
    'GlobalContext',
    'SEGroup',
    'SEVar1',
    'SEVar2',
    'SEVar3',
    'SqueezeExcitation',
    'eca_kernel_size',
]
