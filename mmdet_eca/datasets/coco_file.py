"""What a detector needs to know of a COCO annotation file, in arrays."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError, first_few
from .json_lists import iterate_lists


@dataclass
class CocoFile:
    """The content of a COCO annotation file, of N images and M objects.

    Attributes:
        path (str): The file.
        classes (tuple[str]): Names of the categories in the order of the file, which
            MMDetection numbers classes by.
        image_ids (list): N ids.
        file_names (list[str]): N file names, relative to the folder of the images.
        sizes (np.ndarray): Widths and heights in pixels, shape (N, 2).
        ids (list): M ids.
        images (np.ndarray): Which image an object is in, shape (M,); -1 for none of
            the list.
        labels (np.ndarray): Which class an object is of, shape (M,); -1 for none.
        boxes (np.ndarray): Boxes (x, y, width, height) in pixels, shape (M, 4).
        has_mask (np.ndarray): Whether there is a segmentation, shape (M,), bool.
        is_used (np.ndarray): Whether MMDetection trains with the object, as an object
            or as a crowd, shape (M,), bool. It leaves out objects that are not in the
            image, have no area, or are less than a pixel wide or high.
    """

    path: str
    classes: tuple[str, ...]
    image_ids: list
    file_names: list[str]
    sizes: np.ndarray
    ids: list
    images: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    has_mask: np.ndarray
    is_used: np.ndarray

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


def read_coco_file(path: str) -> CocoFile:
    """Reads a COCO annotation file.

    Args:
        path (str): The file; its lists ``images``, ``annotations`` and ``categories``
            may stand in any order.

    Raises:
        UserError: If it is no such file, has no images, objects or classes, an entry
            lacks what MMDetection reads of it, or ids or names are not unique.
    """
    lists: dict[str, list] = dict(images=[], annotations=[], categories=[])
    readers = dict(images=_image, annotations=_object, categories=_category)
    for key, value in iterate_lists(path):
        if key in lists:
            try:
                lists[key].append(readers[key](value))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                missing = f'has no {error}' if type(error) is KeyError else 'is wrong'
                raise UserError(
                    f'{path}: entry {len(lists[key]) + 1} of "{key}" {missing}: '
                    f'{_shortened(value)}'
                ) from None
    for key, entries in lists.items():
        if not entries:
            raise UserError(
                f'{path} has no {key}: its list "{key}" is missing or empty'
            )
        _check_unique(path, key, 'id', [entry[0] for entry in entries])
    category_ids, names = zip(*lists['categories'])
    _check_unique(path, 'categories', 'name', names)
    image_ids, file_names, image_sizes = zip(*lists['images'])
    ids, of_images, of_categories, xywh, areas, has_mask, ignored = zip(
        *lists['annotations']
    )
    sizes = np.array(image_sizes, np.float64)
    images = _positions(of_images, image_ids)
    labels = _positions(of_categories, category_ids)
    boxes = np.array(xywh, np.float64)
    inside = np.minimum(boxes[:, :2] + boxes[:, 2:], sizes[images]) - np.maximum(
        boxes[:, :2], 0
    )
    return CocoFile(
        path=path,
        classes=names,
        image_ids=list(image_ids),
        file_names=list(file_names),
        sizes=sizes,
        ids=list(ids),
        images=images,
        labels=labels,
        boxes=boxes,
        has_mask=np.array(has_mask),
        is_used=(images >= 0)
        & (labels >= 0)
        & ~np.array(ignored)
        & (inside > 0).all(1)
        & (np.array(areas) > 0)
        & (boxes[:, 2:] >= 1).all(1),
    )


def _image(entry: dict) -> tuple[Hashable, str, tuple[float, float]]:
    name, size = entry['file_name'], (float(entry['width']), float(entry['height']))
    if not isinstance(name, str) or not all(side >= 1 for side in size):
        raise ValueError(name, size)
    return _hashable(entry['id']), name, size


def _category(entry: dict) -> tuple[Hashable, str]:
    if not isinstance(entry['name'], str):
        raise TypeError(entry['name'])
    return _hashable(entry['id']), entry['name']


def _object(
    entry: dict,
) -> tuple[Hashable, Hashable, Hashable, tuple[float, ...], float, bool, bool]:
    x, y, width, height = map(float, entry['bbox'])
    area = float(entry['area'])
    if not np.isfinite(x + y + width + height + area):
        raise ValueError(entry['bbox'])
    return (
        _hashable(entry['id']),
        _hashable(entry['image_id']),
        _hashable(entry['category_id']),
        (x, y, width, height),
        area,
        bool(entry.get('segmentation')),
        bool(entry.get('ignore')),
    )


def _hashable(value: Any) -> Hashable:
    hash(value)  # a TypeError of what cannot be an id
    return value


def _positions(wanted: Iterable[Hashable], ids: Sequence[Hashable]) -> np.ndarray:
    """Where each id stands among ``ids``; -1 if it does not."""
    places = {value: place for place, value in enumerate(ids)}
    return np.array([places.get(value, -1) for value in wanted])


def _check_unique(path: str, key: str, what: str, values: Sequence[Hashable]) -> None:
    if len(set(values)) < len(values):
        twice = [repr(v) for v, count in Counter(values).items() if count > 1]
        raise UserError(
            f'{path}: {len(twice)} {what}s stand more than once in "{key}" '
            f'({first_few(twice)}): each must have its own'
        )


def _shortened(value: Any, limit: int = 100) -> str:
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
