"""Hooks that a detector's config may name."""

from ..mixed_precision import MixedPrecisionHook
from .channels_last_hook import ChannelsLastHook, to_channels_last
from .divergence_hook import DivergenceHook
from .summary_hook import SummaryHook

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'MixedPrecisionHook',
    'SummaryHook',
    'to_channels_last',
]
