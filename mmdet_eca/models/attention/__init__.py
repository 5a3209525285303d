from .channel_attention import ChannelAttention
from .eca import ECALayer, eca_kernel_size

__all__ = ['ChannelAttention', 'ECALayer', 'eca_kernel_size']
