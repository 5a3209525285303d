"""Training that an interruption does not change.

mmengine resumes weights, optimiser and schedules, at the end of an epoch. After that it
draws other random numbers, so that the run becomes another one.
"""

from .batches import (
    EndlessBatchSampler,
    ResumableBatchSampler,
    SeededIndex,
    make_seeded,
    seed_items,
)
from .early_stopping_hook import ResumableEarlyStoppingHook
from .finding import find_newest_checkpoint
from .interruption import INTERRUPTED, InterruptionHook
from .loops import ResumableEpochLoop, ResumableIterLoop
from .runner import ResumableRunner
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'INTERRUPTED',
    'EndlessBatchSampler',
    'InterruptionHook',
    'ResumableBatchSampler',
    'ResumableEarlyStoppingHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'ResumableRunner',
    'SafeCheckpointHook',
    'SeededIndex',
    'find_newest_checkpoint',
    'make_seeded',
    'seed_items',
]
