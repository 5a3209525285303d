from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class IterSeedHook(Hook):
    """Seeds torch before every iteration.

    So dropout in a resumed run is the same as without the interruption.

    mmengine seeds torch once, when a run starts. Once an epoch would not be enough:
    a data loader draws a random number too when it starts its workers, and does not
    start them in every epoch.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seeds with the run's seed, the iteration and the rank of the process."""
        torch.manual_seed(hash((runner.seed, runner.iter, get_rank())))
