"""Batches whose random augmentation depends on the seed, the epoch and the image alone.

torch and mmengine seed a worker once, when it starts: what it draws for an image then
depends on the images that it has read before.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Optional

from mmdet.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Dataset, Sampler

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
        batch_sampler: Optional[dict] = None,
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


def make_seeded(dataloader: dict, seed: int) -> dict:
    """Returns the config of a data loader, with batches that can be resumed.

    Args:
        dataloader (dict): As mmengine takes it, with a ``batch_size``.
        seed (int): The seed of the run.
    """
    dataloader = dict(dataloader)
    dataloader['batch_sampler'] = dict(
        type=ResumableBatchSampler,
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
