from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from .batches import make_seeded, seed_items

EVALUATED = 'evaluated_epoch'  # in the message hub, and so in checkpoints


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

        An epoch is evaluated after its checkpoint has been written. If the run was
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
        self._decide_current_val_interval()
        hub = self.runner.message_hub
        if (
            self.runner.val_loop is not None
            and self.epoch >= self.val_begin
            and (self.epoch % self.val_interval == 0 or self.epoch == self.max_epochs)
            and hub.runtime_info.get(EVALUATED) != self.epoch
        ):
            # Before it, since the best checkpoint is written while it runs.
            hub.update_info(EVALUATED, self.epoch)
            self.runner.val_loop.run()
