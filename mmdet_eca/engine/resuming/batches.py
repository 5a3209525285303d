"""Batches whose random augmentation depends on the seed, the epoch and the image alone.

torch and mmengine seed a worker once, when it starts: what it draws for an image then
depends on the images that it has read before.
"""

from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple

from mmdet.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Dataset, Sampler

from ...errors import UserError
from ..seeding import seed_process


class SeededIndex(NamedTuple):
    """An index of a data set, and the numbers that its augmentation is seeded with."""

    index: Any
    seed: tuple[int, ...]


class ResumableBatchSampler(Sampler):
    """Yields the batches of another batch sampler, from any of them on.

    What is left out is not read. Each index comes with the seed (seed, epoch, index),
    which :func:`seed_items` makes a data set use. So the number of processes and
    workers does not change how an image is augmented, and a resumed run continues as
    it would have without the interruption.

    Args:
        sampler (Sampler): Yields indices.
        batch_size (int): Indices in a batch.
        seed (int): The seed of the run.
        batch_sampler (dict, optional): The config of a batch sampler, by default
            torch's.
        drop_last (bool): Whether torch's leaves out a last batch that is not full.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        seed: int,
        batch_sampler: dict | None = None,
        drop_last: bool = False,
    ) -> None:
        self.sampler = sampler  # of which mmengine's DistSamplerSeedHook sets the epoch
        self.seed = seed
        self.epoch = 0
        self.skipped = 0
        self.batch_sampler = (
            BatchSampler(sampler, batch_size, drop_last)
            if batch_sampler is None
            else DATA_SAMPLERS.build(
                batch_sampler, default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        )

    def start_at(self, epoch: int, skipped: int) -> None:
        """Chooses what the next iteration yields.

        Args:
            epoch (int): Part of the seeds.
            skipped (int): How many batches are left out.
        """
        self.epoch = epoch
        self.skipped = skipped

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        epoch = self.epoch
        for batch in islice(self.batch_sampler, self.skipped, None):
            yield [SeededIndex(i, (self.seed, epoch, i)) for i in batch]

    def __len__(self) -> int:
        return len(self.batch_sampler)


class EndlessBatchSampler(ResumableBatchSampler):
    """Batches for a loop over iterations: when they end, they begin anew.

    That is what mmengine's loop does with a data loader that ends, but this one keeps
    its workers. InfiniteSampler never ends by itself.

    The seed is (seed, iteration, index, how often the index is in the batch before).
    An epoch has no meaning here: InfiniteSampler has none, each process comes to the
    end of the images in another iteration, and an index comes again and again.
    """

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        batches = islice(self._passes(), self.skipped, None)
        for iteration, batch in enumerate(batches, self.skipped):
            yield [
                SeededIndex(
                    index, (self.seed, iteration, index, batch[:i].count(index))
                )
                for i, index in enumerate(batch)
            ]

    def _passes(self) -> Iterator[list]:
        for number in count():
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(number)
            batch = None
            for batch in self.batch_sampler:
                yield batch
            if batch is None:
                raise UserError(
                    'the training data has no whole batch; use a smaller batch_size '
                    'or drop_last=False'
                )


def make_seeded(
    dataloader: dict,
    seed: int,
    batch_sampler: type[ResumableBatchSampler] = ResumableBatchSampler,
) -> dict:
    """Returns the config of a data loader, with batches that can be resumed.

    Args:
        dataloader (dict): As mmengine takes it, with a ``batch_size``.
        seed (int): The seed of the run.
        batch_sampler (type): What yields the batches.
    """
    dataloader = dict(dataloader)
    dataloader['batch_sampler'] = dict(
        type=batch_sampler,
        seed=seed,
        batch_sampler=dataloader.get('batch_sampler'),
        drop_last=dataloader.pop('drop_last', False),
    )
    return dataloader


def seed_items(dataset: Dataset) -> None:
    """Makes a data set seed its process before each item that a data loader reads.

    torch's data loader asks a data set for ``__getitems__`` first. The data set stays
    what it is, for hooks that change its pipeline.

    Args:
        dataset (Dataset): Any with items by index.
    """
    dataset.__getitems__ = partial(_read, dataset)  # type: ignore[attr-defined]


def _read(dataset: Dataset, indices: list[SeededIndex]) -> list:
    items = []
    for index, seed in indices:
        seed_process(*seed)
        items.append(dataset[index])
    return items
