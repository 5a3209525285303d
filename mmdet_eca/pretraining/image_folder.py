import operator
import os
from typing import Dict, List, Union

from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.dataset import BaseDataset

from .image_decoding import CorruptImage
from .image_index import read_index
from .seeded_index import SeededIndex


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """Images in one folder a class: ``root/<class>/<image>``, ImageNet's layout.

    Labels number the class folders in the order of their names. mmengine's data
    set wrappers take it.

    Args:
        root (str): The folder.
        pipeline (list[dict]): Transforms, of results with ``img_path`` and
            ``gt_label``.

    Raises:
        UserError: If the folder has no images, or a class folder in it has none.
    """

    _fully_initialized = True  # for the wrappers; nothing is loaded later

    def __init__(self, root: str, pipeline: List[dict]) -> None:
        self.root = root
        index = read_index(root)
        self.names, self.labels = index.names, index.labels
        self.classes = tuple(index.classes.tolist())
        super().__init__(
            metainfo=dict(classes=self.classes),
            pipeline=[TRANSFORMS.build(step) for step in pipeline],
            lazy_init=True,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """The file of an image."""
        folder = self.classes[self.labels[index]]
        return os.path.join(self.root, folder, os.fsdecode(self.names[index]))

    def get_data_info(self, index: int) -> Dict:
        """What the pipeline starts from: ``img_path`` and ``gt_label``."""
        return dict(img_path=self.path(index), gt_label=int(self.labels[index]))

    def get_cat_ids(self, index: int) -> List[int]:
        """The label of an image, for ClassBalancedDataset."""
        return [int(self.labels[index])]

    def __getitem__(self, index: Union[int, SeededIndex]) -> Union[Dict, CorruptImage]:
        """What the pipeline makes of an image.

        Args:
            index (int | SeededIndex): Of the image.

        Returns:
            dict | CorruptImage: Without an image that can be read, the reason,
            which :func:`collate_images` passes on.
        """
        info = self.get_data_info(operator.index(index))
        try:
            return self.pipeline(info)
        except CorruptImage as error:
            return CorruptImage(f'{info["img_path"]}: {error}')
