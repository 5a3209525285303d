import os

from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.dataset import BaseDataset

from .image_decoding import CorruptImage
from .image_index import read_index


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """A data set in ImageNet's layout, with a folder for each class.

    An image is ``root/<class>/<image>``. A label is the place of its class folder in
    the order of their names. mmengine's data set wrappers can be used.

    Args:
        root (str): The folder.
        pipeline (list[dict]): Transforms; the first gets a dict with ``img_path``
            and ``gt_label``.

    Raises:
        UserError: If the folder has no class folders, or one of them no images.
    """

    # mmengine's wrappers ask for it; nothing is left to load later.
    _fully_initialized = True

    def __init__(self, root: str, pipeline: list[dict]) -> None:
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
        """Returns the path of an image."""
        folder = self.classes[self.labels[index]]
        return os.path.join(self.root, folder, os.fsdecode(self.names[index]))

    def get_data_info(self, index: int) -> dict:
        """Returns ``img_path`` and ``gt_label``, from which the pipeline starts."""
        return dict(img_path=self.path(index), gt_label=int(self.labels[index]))

    def get_cat_ids(self, index: int) -> list[int]:
        """Returns the label of an image in a list, for ClassBalancedDataset."""
        return [int(self.labels[index])]

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
