"""Training that an interruption does not change.

mmengine resumes weights, optimiser and schedules, at the end of an epoch. After that it
draws other random numbers, so that the run becomes another one.
"""

from .batches import ResumableBatchSampler, SeededIndex, make_seeded, seed_items
from .loops import ResumableEpochLoop
from .runner import ResumableRunner

__all__ = [
    'ResumableBatchSampler',
    'ResumableEpochLoop',
    'ResumableRunner',
    'SeededIndex',
    'make_seeded',
    'seed_items',
]
