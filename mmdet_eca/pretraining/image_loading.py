"""How images come from the data set into a batch."""

from typing import Dict, Iterator, List, Union

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

    The seed depends on the sampler's seed, the epoch and the image alone. So an
    image is augmented alike whatever process it falls to, and a run that is
    resumed goes on as it would have without the interruption. An image that a
    data set wrapper repeats is augmented differently each time.
    """

    def __iter__(self) -> Iterator[SeededIndex]:
        """Yields the indices, each seeded with (seed, epoch, index)."""
        return (
            SeededIndex(index, (self.seed, self.epoch, index))
            for index in super().__iter__()
        )


@FUNCTIONS.register_module()
def collate_images(
    samples: List[Union[Dict, CorruptImage]],
) -> Dict[str, Union[Tensor, List[str]]]:
    """Makes a batch of the images that could be read.

    Args:
        samples (list[dict | CorruptImage]): Of :class:`ImageFolder`.

    Returns:
        dict: ``inputs`` (N, H, W, 3) of uint8, labels ``data_samples`` (N,),
        their files ``img_path`` and ``corrupt``, what is wrong with the others,
        which :class:`CorruptImagesHook` takes out.
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
