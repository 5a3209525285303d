from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner

from .batches import make_seeded, seed_items


class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, with batches that do not depend on interruptions.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        **settings: As for mmengine's.
    """

    def __init__(self, runner: Runner, dataloader: dict, **settings: Any) -> None:
        super().__init__(runner, make_seeded(dataloader, runner.seed), **settings)
        seed_items(self.dataloader.dataset)

    def run_epoch(self) -> None:
        """Runs the rest of the current epoch."""
        done = self.iter - self.epoch * len(self.dataloader)
        self.dataloader.batch_sampler.start_at(self.epoch, done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for batch_idx, batch in enumerate(self.dataloader, done):
            self.run_iter(batch_idx, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
