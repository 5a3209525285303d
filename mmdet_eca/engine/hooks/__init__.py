"""Hooks that a detector's config may name."""

from .channels_last_hook import ChannelsLastHook, to_channels_last
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = ['ChannelsLastHook', 'WholeCheckpointHook', 'to_channels_last']
