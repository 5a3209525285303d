"""Batches whose random augmentation does not depend on the images read before.

torch and mmengine seed a worker once, when it starts: what it draws for an image then
depends on the images that it has read before, which a resumed run does not read.
"""

import random
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Dataset, Sampler, get_worker_info

from ...errors import UserError


class SeededIndex(NamedTuple):
    """An index of a data set, and the numbers that seed the image's augmentation."""

    index: Any
    seed: tuple[int, ...]


class ResumableBatchSampler(Sampler):
    """Yields the batches of another batch sampler, from any of them on.

    Batches that are skipped are not read. Each index comes with a seed, which
    :func:`seed_items` makes a data set use: (seed, epoch, index), so that the number
    of processes and workers does not change how an image is augmented.

    Args:
        sampler (Sampler): Yields indices.
        batch_size (int): Indices in a batch.
        seed (int): The seed of the run.
        batch_sampler (dict, optional): The config of a batch sampler, by default
            torch's.
        drop_last (bool): Whether torch's leaves out a last batch that is not full.
        endless (bool): Start again at the end, as mmengine's loop over iterations
            does. That loop has no epochs, and an index comes again and again: the
            seed is (seed, iteration, index, place in the batch).
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        seed: int,
        batch_sampler: dict | None = None,
        drop_last: bool = False,
        endless: bool = False,
    ) -> None:
        self.sampler = sampler  # mmengine's DistSamplerSeedHook sets its epoch
        self.seed = seed
        self.endless = endless
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
        """Chooses what the next iteration over this sampler yields.

        Args:
            epoch (int): Part of the seeds.
            skipped (int): How many batches are left out.
        """
        self.epoch = epoch
        self.skipped = skipped

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        epoch, first = self.epoch, self.skipped
        batches = self._passes() if self.endless else self.batch_sampler
        for number, batch in enumerate(islice(batches, first, None), first):
            yield [
                SeededIndex(
                    index,
                    (self.seed, number, index, place)
                    if self.endless
                    else (self.seed, epoch, index),
                )
                for place, index in enumerate(batch)
            ]

    def __len__(self) -> int:
        return len(self.batch_sampler)

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


def make_seeded(dataloader: dict, seed: int, endless: bool = False) -> dict:
    """Returns the config of a data loader whose batches can be resumed.

    Args:
        dataloader (dict): mmengine's config of it, with a ``batch_size``.
        seed (int): The seed of the run.
        endless (bool): See :class:`ResumableBatchSampler`.
    """
    dataloader = dict(dataloader)
    dataloader['batch_sampler'] = dict(
        type=ResumableBatchSampler,
        seed=seed,
        batch_sampler=dataloader.get('batch_sampler'),
        drop_last=dataloader.pop('drop_last', False),
        endless=endless,
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


def seed_process(*numbers: int) -> None:
    """Seeds ``random``, NumPy and torch with a few numbers together."""
    # The hash, since seeding NumPy with a tuple takes four times as long.
    seed = hash(numbers) % 2**32
    random.seed(seed)
    np.random.seed(seed)
    if get_worker_info() is None:
        torch.manual_seed(seed)
    else:  # `torch.manual_seed` takes 0.2 ms in a worker, for devices it does not use
        torch.default_generator.manual_seed(seed)
