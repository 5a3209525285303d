"""What a detector needs to know of a COCO annotation file, in arrays."""

from dataclasses import dataclass

import numpy as np

from .findings import Findings


@dataclass
class CocoFile:
    """The content of a COCO annotation file, of N images and M objects.

    Entries that cannot be used are left out, and are in ``findings``.

    Attributes:
        path (str): The file.
        classes (tuple[str]): Names of the categories in the order of the file, which
            MMDetection numbers classes by.
        category_ids (list): Their ids.
        image_ids (list): N ids.
        file_names (list[str]): N file names, relative to the folder of the images.
        sizes (np.ndarray): Widths and heights in pixels, shape (N, 2).
        ids (list): M ids.
        images (np.ndarray): Which image an object is in, shape (M,); -1 for none of
            the list.
        labels (np.ndarray): Which class an object is of, shape (M,); -1 for none.
        boxes (np.ndarray): Boxes (x, y, width, height) in pixels, shape (M, 4).
        areas (np.ndarray): What the file has as ``area``, in pixels, shape (M,).
        mask_areas (np.ndarray): Areas of the masks, shape (M,); NaN without a mask.
        has_mask (np.ndarray): Whether there is a segmentation, shape (M,), bool.
        is_crowd (np.ndarray): Whether it is a group of objects, shape (M,), bool.
        is_used (np.ndarray): Whether MMDetection trains with the object, as an object
            or as a crowd, shape (M,), bool. It leaves out objects that are not in the
            image, have no area, or are less than a pixel wide or high.
        findings (Findings): What is wrong with ids, entries and masks.
    """

    path: str
    classes: tuple[str, ...]
    category_ids: list
    image_ids: list
    file_names: list[str]
    sizes: np.ndarray
    ids: list
    images: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    mask_areas: np.ndarray
    has_mask: np.ndarray
    is_crowd: np.ndarray
    is_used: np.ndarray
    findings: Findings

    def __str__(self) -> str:
        masks = 'with masks' if self.has_masks else 'with boxes only'
        return (
            f'{len(self.file_names):,} images, {len(self.images):,} objects of '
            f'{len(self.classes):,} classes, {masks}'
        )

    @property
    def has_masks(self) -> bool:
        """Whether each object that is trained with has a mask."""
        return bool(self.has_mask[self.is_used].all())

    def object_sizes(self) -> np.ndarray:
        """sqrt(width * height) of the boxes that are trained with, in pixels."""
        return np.sqrt(self.boxes[self.is_used, 2:].prod(1))


def overlaps(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Width and height of what of each box is in its image; negative outside.

    Args:
        boxes (np.ndarray): (x, y, width, height), shape (M, 4).
        sizes (np.ndarray): Widths and heights of the images, shape (M, 2).
    """
    return np.minimum(boxes[:, :2] + boxes[:, 2:], sizes) - np.maximum(boxes[:, :2], 0)
