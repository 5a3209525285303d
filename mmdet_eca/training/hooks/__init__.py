"""Hooks that a detector's config may name."""

from .channels_last_hook import ChannelsLastHook, to_channels_last
from .divergence_hook import DivergenceHook
from .mixed_precision_hook import MixedPrecisionHook

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'MixedPrecisionHook',
    'to_channels_last',
]
