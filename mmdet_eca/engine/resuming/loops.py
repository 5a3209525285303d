"""mmengine's training loops, which can be left and entered at any iteration."""

from collections.abc import Iterator
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import DataLoader

from .batches import EndlessBatchSampler, make_seeded, seed_items


class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, which can be left and entered at any iteration.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        **settings: As for mmengine's.
    """

    def __init__(self, runner: Runner, dataloader: dict, **settings: Any) -> None:
        super().__init__(runner, make_seeded(dataloader, runner.seed), **settings)
        seed_items(self.dataloader.dataset)
        self.done = 0  # iterations of the current epoch

    def progress(self) -> dict[str, int]:
        """How far the epoch is after the current iteration, for ``meta``."""
        return dict(done=self.done + 1, steps=len(self.dataloader))

    def enter(self, meta: dict) -> None:
        """Goes on within an epoch where a checkpoint was written.

        With another number of processes or another batch size, the part of the epoch
        is the same.

        Args:
            meta (dict): With what :meth:`progress` has given, or without for a
                checkpoint of an epoch's end.
        """
        steps = len(self.dataloader)
        self.done = meta.get('done', 0) * steps // meta.get('steps', steps)

    def run(self) -> nn.Module:
        """Trains to the end.

        An epoch is evaluated after a checkpoint of it has been written. If the run was
        interrupted in between, the evaluation is done first.
        """
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
            self.run_iter(self.done, batch)
            self.done += 1
        self.done = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _evaluate(self) -> None:
        """Evaluates the epoch that has ended if it is due and not done yet."""
        _evaluate(self, 'evaluated_epoch', self.epoch, self.max_epochs)


class ResumableIterLoop(IterBasedTrainLoop):
    """mmengine's loop over iterations, which does not read again what it has done.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        **settings: As for mmengine's.
    """

    dataloader: Any

    def __init__(self, runner: Runner, dataloader: dict, **settings: Any) -> None:
        BaseLoop.__init__(
            self, runner, make_seeded(dataloader, runner.seed, EndlessBatchSampler)
        )
        loader = self.dataloader
        # mmengine's would start to read at once, before it knows where.
        super().__init__(runner, _Unread(loader), **settings)
        self.dataloader = loader
        del self.dataloader_iterator
        seed_items(loader.dataset)

    def run(self) -> nn.Module:
        """Trains to the end; for mmengine's hooks that is one epoch.

        An iteration is evaluated after a checkpoint of it has been written. If the run
        was interrupted in between, the evaluation is done first.
        """
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.dataloader.batch_sampler.start_at(self.epoch, self.iter)
        if self.iter:
            self._evaluate()
        # Not an attribute: workers end with the iterator, at an error too.
        batches = iter(self.dataloader)
        while self.iter < self.max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._evaluate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _evaluate(self) -> None:
        """Evaluates after an iteration if it is due and not done yet."""
        _evaluate(self, 'evaluated_iter', self.iter, self.max_iters)


class _Unread:
    """What mmengine takes for a data loader, and nothing in it."""

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def _evaluate(
    loop: ResumableEpochLoop | ResumableIterLoop, name: str, now: int, end: int
) -> None:
    """Evaluates as mmengine's loops do, but never twice.

    Args:
        loop: The training loop.
        name (str): Of what was evaluated last, in the message hub, and so in
            checkpoints.
        now (int): The epoch or iteration that has ended.
        end (int): The last one.
    """
    loop._decide_current_val_interval()
    hub = loop.runner.message_hub
    if (
        loop.runner.val_loop is not None
        and now >= loop.val_begin
        and (now % loop.val_interval == 0 or now == end)
        and hub.runtime_info.get(name) != now
    ):
        loop.runner.save_before_evaluation()
        # Before it, since the best checkpoint is written while it runs.
        hub.update_info(name, now)
        loop.runner.val_loop.run()
