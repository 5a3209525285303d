"""Training that an interruption does not change."""

from .batches import ResumableBatchSampler, SeededIndex, seed_items
from .checkpoints import SafeCheckpointHook, SafeLoggerHook
from .finding import choose_checkpoint, find_newest_checkpoint
from .interruption import INTERRUPTED, InterruptionHook
from .loops import ResumableEpochLoop, ResumableIterLoop

__all__ = [
    'INTERRUPTED',
    'InterruptionHook',
    'ResumableBatchSampler',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SafeCheckpointHook',
    'SafeLoggerHook',
    'SeededIndex',
    'choose_checkpoint',
    'find_newest_checkpoint',
    'seed_items',
]
