"""Hooks that a detector's config may name."""

from .channels_last_hook import ChannelsLastHook, to_channels_last
from .divergence_hook import DivergenceHook
from .mixed_precision_hook import MixedPrecisionHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'MixedPrecisionHook',
    'WholeCheckpointHook',
    'to_channels_last',
]
