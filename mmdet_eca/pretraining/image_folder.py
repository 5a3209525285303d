import os
import os.path as osp

import torch
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.dataset import BaseDataset
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import default_collate

from ..config_paths import tool_path
from ..errors import UserError, first_few
from ..training.images import is_image
from .image_decoding import CorruptImage


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """A data set in ImageNet's layout, with a folder for each class.

    An image is ``root/<class>/<image>``. A label is the place of its class folder in
    the order of their names. mmengine's data set wrappers can be used.

    Args:
        root (str): The folder.
        pipeline (list[dict]): Transforms; the first gets a dict with ``img_path``
            and ``gt_label``.
        lazy_init (bool): List the classes only; ``full_init`` lists the images.

    Raises:
        UserError: If there is no such folder, it has no class folders, or one of them
            has no images.
    """

    def __init__(
        self, root: str, pipeline: list[dict], lazy_init: bool = False
    ) -> None:
        self.root = root
        self.classes = _class_folders(root)
        super().__init__(
            metainfo=dict(classes=self.classes),
            pipeline=[TRANSFORMS.build(step) for step in pipeline],
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict]:
        """Returns ``img_path`` and ``gt_label`` of each image, sorted by its path."""
        images = []
        for label, name in enumerate(self.classes):
            folder = osp.join(self.root, name)
            files = sorted(filter(is_image, os.listdir(folder)))
            images += [
                dict(img_path=osp.join(folder, file), gt_label=label) for file in files
            ]
        return images

    def get_cat_ids(self, index: int) -> list[int]:
        """Returns the label of an image in a list, for ClassBalancedDataset."""
        return [self.get_data_info(index)['gt_label']]

    def __getitem__(self, index: int) -> dict | CorruptImage:
        """Runs the pipeline on an image.

        Args:
            index (int): Which image.

        Returns:
            dict | CorruptImage: The pipeline's result. If the image cannot be read,
            the exception, which :func:`collate_images` passes on.
        """
        info = self.get_data_info(index)
        try:
            return self.pipeline(info)
        except CorruptImage as error:
            return CorruptImage(f'{info["img_path"]}: {error}')


@FUNCTIONS.register_module()
def collate_images(
    samples: list[dict | CorruptImage], _scope_: str | None = None
) -> dict[str, Tensor | list[str]]:
    """Makes a batch of the images that could be read.

    Args:
        samples (list[dict | CorruptImage]): Items of :class:`ImageFolder`.
        _scope_ (str, optional): The entry that mmengine puts beside each ``type`` of a
            base config that is named by its package, 'mmdet_eca::...'.

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


def _class_folders(root: str) -> tuple[str, ...]:
    if not osp.isdir(root):
        raise UserError(
            f'{root} is no folder: put the images there, one folder '
            f'a class (digits: python {tool_path("make_digits.py")}), '
            "or set the data set's root"
        )
    with os.scandir(root) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if entry.is_dir() and not entry.name.startswith('.')
        )
    if not names:
        raise UserError(
            f'{root} has no class folders: images belong into {root}/<class>/'
        )
    empty = [name for name in names if not _has_images(osp.join(root, name))]
    if empty:
        raise UserError(
            f'{root} has {len(empty)} class folders without images '
            f'({first_few(empty)}): remove them, or put images into them'
        )
    return tuple(names)


def _has_images(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(is_image(entry.name) for entry in entries)
