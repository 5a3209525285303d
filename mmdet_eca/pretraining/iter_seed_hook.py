from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class IterSeedHook(Hook):
    """Seeds torch before every iteration, so that dropout after a resume is what
    it would have been without the interruption.

    Once an epoch is not enough: starting the data loader's workers draws a number
    too, and they are not started anew in every epoch.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seeds with the run's seed, the iteration and the process."""
        torch.manual_seed(hash((runner.seed, runner.iter, get_rank())))
