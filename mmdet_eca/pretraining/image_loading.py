"""Takes images out of the data set, and makes batches of them."""

from collections.abc import Iterator
from typing import Union

import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import DefaultSampler
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import default_collate

from .image_decoding import CorruptImage
from .seeded_index import SeededIndex


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """mmengine's DefaultSampler, with a seed for the augmentation of each image.

    The seed depends only on the sampler's seed, the epoch and the index. So the
    number of processes and workers does not change how an image is augmented, and a
    resumed run continues as it would have without the interruption; mmengine's
    ``worker_init_fn`` seeds each worker, once, when it starts. An image that a data
    set wrapper repeats has several indices, and is augmented differently each time.
    """

    def __iter__(self) -> Iterator[SeededIndex]:
        """Yields the indices, each with the seed (seed, epoch, index)."""
        return (
            SeededIndex(index, (self.seed, self.epoch, index))
            for index in super().__iter__()
        )


@FUNCTIONS.register_module()
def collate_images(
    samples: list[Union[dict, CorruptImage]],
) -> dict[str, Union[Tensor, list[str]]]:
    """Makes a batch of the images that could be read.

    Args:
        samples (list[dict | CorruptImage]): Items of :class:`ImageFolder`.

    Returns:
        dict: For N images that could be read, their pixels ``inputs`` (N, H, W, 3),
        uint8, their labels ``data_samples`` (N,) and their files ``img_path``. For
        the others, the messages ``corrupt``, which :class:`CorruptImagesHook`
        removes.
    """
    corrupt = [str(s) for s in samples if isinstance(s, CorruptImage)]
    images = [s for s in samples if not isinstance(s, CorruptImage)]
    batch = (
        default_collate(images)
        if images
        else dict(
            inputs=torch.empty(0, dtype=torch.uint8),
            data_samples=torch.empty(0, dtype=torch.long),
            img_path=[],
        )
    )
    return dict(batch, corrupt=corrupt)
