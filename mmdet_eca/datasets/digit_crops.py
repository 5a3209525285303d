import os
import os.path as osp
import tempfile
from typing import Dict

import cv2
import mmcv
import numpy as np
from mmdet.registry import DATASETS
from pycocotools.coco import COCO
from torch.utils.data import Dataset

from ..errors import UserError


@DATASETS.register_module()
class DigitCrops(Dataset):
    """The digits of a detection data set, cut out for classification.

    Args:
        ann_file (str): COCO annotations.
        image_folder (str): Of the images in them.
        size (int): Side of the square crops in pixels.
        context (float): Side of what is cut out, relative to the longer side of
            the box.
    """

    def __init__(self,
                 ann_file: str,
                 image_folder: str,
                 size: int = 32,
                 context: float = 1.2) -> None:
        coco = COCO(ann_file)
        category_ids = sorted(coco.getCatIds())
        crops, labels = [], []
        for image_id in coco.getImgIds():
            name = coco.loadImgs(image_id)[0]['file_name']
            image = mmcv.imread(f'{image_folder}/{name}')
            for annotation in coco.imgToAnns[image_id]:
                crops.append(_crop(image, annotation['bbox'], size, context))
                labels.append(category_ids.index(annotation['category_id']))
        self.inputs = np.stack(crops).transpose(0, 3, 1, 2)
        self.labels = np.array(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Dict[str, np.ndarray]:
        """BGR pixels (3, size, size) of uint8, and the label as data sample."""
        return dict(inputs=self.inputs[index], data_samples=self.labels[index])


def write_digit_crops(digits: str, out: str, size: int = 40) -> str:
    """Writes the digits of Digits-COCO as image folders, ImageNet's layout.

    ``out/train/<digit>/<number>.png`` and ``out/val/...``, all or nothing.

    Args:
        digits (str): Folder of :func:`make_digits`.
        out (str): The folder to write.
        size (int): Side of the square crops in pixels.

    Returns:
        str: One sentence that says what was done.

    Raises:
        UserError: If ``out`` exists.
    """
    if osp.lexists(out):
        raise UserError(f'{out} exists: remove it, or choose another folder')
    parent = osp.dirname(osp.abspath(out))
    os.makedirs(parent, exist_ok=True)
    counts = []
    with tempfile.TemporaryDirectory(prefix='.crops-', dir=parent) as scratch:
        folder = osp.join(scratch, 'crops')
        for split in ('train', 'val'):
            crops = DigitCrops(f'{digits}/annotations/instances_{split}.json',
                               f'{digits}/{split}', size)
            for index, (pixels, label) in enumerate(
                    zip(crops.inputs, crops.labels)):
                mmcv.imwrite(
                    pixels.transpose(1, 2, 0),
                    osp.join(folder, split, str(label), f'{index:05d}.png'))
            counts.append(len(crops))
        os.replace(folder, out)
    return f'{out}: {counts[0]} training and {counts[1]} validation crops.'


def _crop(image: np.ndarray, bbox, size: int, context: float) -> np.ndarray:
    x, y, width, height = bbox
    scale = size / (context * max(width, height))
    middle = np.array([x + width / 2, y + height / 2])
    matrix = np.column_stack([np.eye(2) * scale, size / 2 - scale * middle])
    return cv2.warpAffine(
        image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
