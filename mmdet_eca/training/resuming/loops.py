"""mmengine's training loops, which can be left and entered at any iteration.

Each iteration is seeded with the seed, the iteration and the rank, so that sampling
and dropout in a resumed run are those of the uninterrupted one. How far the run is
stands in the message hub, and so in every checkpoint, whoever writes it.
"""

from bisect import bisect
from collections.abc import Iterator
from typing import Any

from mmdet.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import DataLoader

from .batches import make_seeded, seed_items, seed_process

PROGRESS = 'epoch_progress'  # iterations done in the epoch, and in a whole one
EVALUATED = 'evaluated'  # the epoch or iteration that was evaluated last


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, which can be left and entered at any iteration.

    With another number of processes or another batch size, a resumed run continues
    at the same part of the epoch.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        **settings: As for mmengine's loop.
    """

    def __init__(self, runner: Runner, dataloader: dict, **settings: Any) -> None:
        super().__init__(runner, make_seeded(dataloader, runner.seed), **settings)
        seed_items(self.dataloader.dataset)

    def run(self) -> nn.Module:
        """Trains to the end, beginning with an evaluation that was interrupted."""
        info, steps = self.runner.message_hub.runtime_info, len(self.dataloader)
        done, earlier_steps = info.get(PROGRESS, (0, steps))
        self.done = done * steps // earlier_steps
        self.runner.call_hook('before_train')
        if self.epoch and not self.done:
            self._evaluate()
        while self.epoch < self.max_epochs and not self.stop_training:
            self.run_epoch()
            self._evaluate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Runs what is left of the current epoch."""
        self.dataloader.batch_sampler.start_at(self.epoch, self.done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for batch in self.dataloader:
            seed_process(self.runner.seed, self.iter, get_rank())
            self._note_progress(self.done + 1)  # of a checkpoint after this iteration
            self.run_iter(self.done, batch)
            self.done += 1
        self.done = 0
        self._note_progress(0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _note_progress(self, done: int) -> None:
        progress = [done, len(self.dataloader)]
        self.runner.message_hub.update_info(PROGRESS, progress)

    def _evaluate(self) -> None:
        _evaluate(self, self.epoch, self.max_epochs)


@LOOPS.register_module()
class ResumableIterLoop(IterBasedTrainLoop):
    """mmengine's loop over iterations, which does not read again what it has done.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        **settings: As for mmengine's loop.
    """

    dataloader: Any

    def __init__(self, runner: Runner, dataloader: dict, **settings: Any) -> None:
        BaseLoop.__init__(self, runner, make_seeded(dataloader, runner.seed, True))
        loader = self.dataloader
        # mmengine's starts to read at once, before it knows where.
        super().__init__(runner, _Unread(loader), **settings)
        self.dataloader = loader
        del self.dataloader_iterator
        seed_items(loader.dataset)

    def run(self) -> nn.Module:
        """Trains to the end, beginning with an evaluation that was interrupted."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.dataloader.batch_sampler.start_at(self.epoch, self.iter)
        if self.iter:
            self._evaluate()
        # Not an attribute: workers end with the iterator, also after an error.
        batches = iter(self.dataloader)
        while self.iter < self.max_iters and not self.stop_training:
            self.runner.model.train()
            batch = next(batches)
            seed_process(self.runner.seed, self.iter, get_rank())
            self.run_iter(batch)
            self._evaluate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _evaluate(self) -> None:
        _evaluate(self, self.iter, self.max_iters)


class _Unread:
    """Stands for a data loader from which nothing is read."""

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def _evaluate(loop: ResumableEpochLoop | ResumableIterLoop, now: int, end: int) -> None:
    """Evaluates when mmengine's loops do, but never twice.

    Args:
        loop: The training loop.
        now (int): The epoch or iteration that has ended.
        end (int): The last one.
    """
    intervals = loop.dynamic_intervals
    loop.val_interval = intervals[bisect(loop.dynamic_milestones, now + 1) - 1]
    hub = loop.runner.message_hub
    if (
        loop.runner.val_loop is not None
        and now >= loop.val_begin
        and (now % loop.val_interval == 0 or now == end)
        and hub.runtime_info.get(EVALUATED) != now
    ):
        loop.runner.val_loop.run()
        hub.update_info(EVALUATED, now)


def can_continue_here(runner: Runner) -> bool:
    """Whether a run can be resumed after the current iteration.

    It cannot while gradients accumulate, nor within an epoch in another loop than
    :class:`ResumableEpochLoop`.
    """
    wrapper = runner.optim_wrapper
    wrappers = getattr(wrapper, 'optim_wrappers', {'': wrapper}).values()
    return isinstance(
        runner.train_loop, (ResumableEpochLoop, IterBasedTrainLoop)
    ) and all(one.should_update() for one in wrappers)
