"""Hooks that a detector's config may name."""

from ..mixed_precision import MixedPrecisionHook
from .channels_last_hook import ChannelsLastHook, to_channels_last
from .divergence_hook import DivergenceHook

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'MixedPrecisionHook',
    'to_channels_last',
]
