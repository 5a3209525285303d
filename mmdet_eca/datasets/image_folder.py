import os
from typing import Dict, List, Tuple, Union

import numpy as np
from mmcv.transforms import Compose
from mmdet.registry import DATASETS, TRANSFORMS
from torch.utils.data import Dataset

from .image_decoding import CorruptImage
from .image_index import read_index

Seed = Tuple[int, ...]


@DATASETS.register_module()
class ImageFolder(Dataset):
    """Images in one folder a class: ``root/<class>/<image>``, ImageNet's layout.

    Labels number the class folders in the order of their names.

    Args:
        root (str): The folder.
        pipeline (list[dict]): Transforms, of results with ``img_path`` and
            ``gt_label``.

    Raises:
        UserError: If the folder has no images, or a class folder in it has none.
    """

    def __init__(self, root: str, pipeline: List[dict]) -> None:
        self.root = root
        index = read_index(root)
        self.names, self.labels = index.names, index.labels
        self.classes = tuple(index.classes.tolist())
        self.pipeline = Compose([TRANSFORMS.build(step) for step in pipeline])

    @property
    def metainfo(self) -> Dict[str, Tuple[str, ...]]:
        """The names of the classes."""
        return dict(classes=self.classes)

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """The file of an image."""
        folder = self.classes[self.labels[index]]
        return os.path.join(self.root, folder, os.fsdecode(self.names[index]))

    def __getitem__(
            self, key: Union[int, Tuple[int, Seed]]) -> Union[Dict, CorruptImage]:
        """What the pipeline makes of an image.

        Args:
            key (int | tuple[int, tuple[int, ...]]): Index of the image, and
                what the pipeline's randomness is seeded with, see
                :class:`SeededSampler`.

        Returns:
            dict | CorruptImage: Without an image that can be read, the reason,
            which :func:`collate_images` passes on.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        if seed is not None:
            # A number: a tuple takes four times as long.
            np.random.seed(hash(seed) % 2**32)
        path = self.path(index)
        try:
            return self.pipeline(
                dict(img_path=path, gt_label=int(self.labels[index])))
        except CorruptImage as error:
            return CorruptImage(f'{path}: {error}')
