from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..seeding import seed_process


@HOOKS.register_module()
class IterSeedHook(Hook):
    """Seeds ``random``, NumPy and torch before every iteration.

    So what the RPN and the RoI heads sample, and what dropout leaves out, is the same
    in a resumed run as without the interruption.

    mmengine seeds once, when a run starts. Once an epoch would not be enough: a data
    loader draws a random number too when it starts its workers, and does not start
    them in every epoch.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seeds with the run's seed, the iteration and the rank of the process."""
        seed_process(runner.seed, runner.iter, get_rank())
