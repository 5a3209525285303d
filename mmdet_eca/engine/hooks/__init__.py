"""Hooks that a detector's config may name."""

from .channels_last_hook import ChannelsLastHook, to_channels_last
from .divergence_hook import DivergenceHook
from .iter_seed_hook import IterSeedHook
from .mixed_precision_hook import MixedPrecisionHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'IterSeedHook',
    'MixedPrecisionHook',
    'WholeCheckpointHook',
    'to_channels_last',
]
