import torch
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import default_collate

from .image_decoding import CorruptImage


@FUNCTIONS.register_module()
def collate_images(
    samples: list[dict | CorruptImage], _scope_: str | None = None
) -> dict[str, Tensor | list[str]]:
    """Makes a batch of the images that could be read.

    Args:
        samples (list[dict | CorruptImage]): Items of :class:`ImageFolder`.
        _scope_ (str, optional): What mmengine puts beside each ``type`` of a base
            config that is named by its package, 'mmdet_eca::...'.

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
