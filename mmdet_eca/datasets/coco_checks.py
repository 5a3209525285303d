"""What in a data set spoils a training or leaves the AP at 0."""

import os
import os.path as osp
from collections import defaultdict
from typing import Optional

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import UserError, first_few
from .coco_file import CocoFile

_SAMPLE = 200  # images whose headers are read, evenly spread over the file
_ORIENTATION = 0x0112  # EXIF's tag; MMDetection turns the pixels by it
_ON_THEIR_SIDE = (5, 6, 7, 8)


def check_coco_file(data: CocoFile, folder: str) -> list[str]:
    """Checks what MMDetection does with an annotation file and its images.

    All files must exist; of 200 the headers are read.

    Args:
        data (CocoFile): The annotation file.
        folder (str): The folder that its file names are relative to.

    Returns:
        list[str]: One line on each thing that MMDetection leaves out, or that makes
        the results worse.

    Raises:
        UserError: If no training can succeed: files are missing or unreadable, no
            object would be trained with, boxes have another form than COCO's, or most
            images have another size than the file says.
    """
    _check_files(data, folder)
    _check_boxes(data)
    warnings = [*_unused(data), *_sizes_that_differ(data, folder)]
    seen = set(data.labels[data.is_used].tolist())
    unseen = [name for i, name in enumerate(data.classes) if i not in seen]
    if unseen:
        warnings.append(f'no objects of {len(unseen)} classes: {first_few(unseen)}')
    empty = len(data.file_names) - len(set(data.images[data.is_used].tolist()))
    if empty:
        warnings.append(f'{empty:,} images have no object to train with')
    if 0 in data.ids:
        warnings.append(
            'an object has the id 0, which pycocotools never counts as found: number '
            'objects from 1'
        )
    return [f'{data.path}: {warning}' for warning in warnings]


def check_same_classes(train: CocoFile, val: CocoFile) -> None:
    """Checks that both files number the classes in the same way.

    MMDetection numbers them by their order in each file, not by their ids and not by
    the config's ``classes``.

    Raises:
        UserError: If the names or their order differ.
    """
    if train.classes == val.classes:
        return
    missing = [name for name in train.classes if name not in val.classes]
    more = [name for name in val.classes if name not in train.classes]
    if missing or more:
        difference = f'without {first_few(missing)}' if missing else ''
        difference += ' and ' if missing and more else ''
        difference += f'with {first_few(more)}' if more else ''
    else:
        difference = 'in another order'
    raise UserError(
        f'{val.path} has other "categories" than {train.path}, {difference}: '
        'MMDetection numbers classes by their place in each file, so both need the '
        'same list'
    )


def _check_files(data: CocoFile, folder: str) -> None:
    """Lists each folder once, which is faster than to ask for each file."""
    if not osp.isdir(folder):
        raise UserError(f'folder of images {folder} does not exist: check its path')
    folders = defaultdict(list)
    for name in data.file_names:
        folders[osp.dirname(name)].append(name)
    missing: list[str] = []
    for subfolder, names in folders.items():
        place = osp.join(folder, subfolder)
        there = set()
        if osp.isdir(place):
            with os.scandir(place) as entries:
                there = {entry.name for entry in entries}
        missing += [name for name in names if osp.basename(name) not in there]
    if missing:
        name = missing[0]
        hint = 'check the folder'
        if osp.dirname(name) and osp.isfile(osp.join(folder, osp.basename(name))):
            hint = f'give the folder that {osp.dirname(name)}/ is in'
        raise UserError(
            f'{len(missing):,} of {len(data.file_names):,} images of {data.path} are '
            f'not in {folder} ({first_few(missing, 3)}): {hint}'
        )


def _check_boxes(data: CocoFile) -> None:
    known = data.images >= 0
    boxes, sizes = data.boxes[known], data.sizes[data.images[known]]
    corners = boxes[:, :2] + boxes[:, 2:]
    if len(boxes) and corners.max() <= 1:
        raise UserError(
            f'{data.path}: all boxes lie between 0 and 1; COCO has x, y, width and '
            'height in pixels'
        )
    sticks_out = (corners > sizes + 1).any(1)
    if (
        2 * sticks_out.sum() > len(boxes)
        and (boxes[:, 2:] >= boxes[:, :2]).all()
        and (boxes[:, 2:] <= sizes + 1).all()
    ):
        raise UserError(
            f'{data.path}: the boxes look like x1, y1, x2, y2; COCO has x, y, width, '
            f'height ({sticks_out.sum():,} of {len(boxes):,} would leave their image)'
        )
    if not data.is_used.any():
        reasons = '; '.join(_unused(data))
        raise UserError(f'{data.path}: MMDetection would use no object: {reasons}')


def _unused(data: CocoFile) -> list[str]:
    """What MMDetection leaves out, without a word."""
    counts = {
        'an image_id that no image has': data.images < 0,
        'a category_id that no category has': data.labels < 0,
    }
    is_known = (data.images >= 0) & (data.labels >= 0)
    counts['a box outside of the image, of no area or less than a pixel wide'] = (
        is_known & ~data.is_used
    )
    return [
        f'{which.sum():,} of {len(which):,} objects have {reason}, and are left out'
        for reason, which in counts.items()
        if which.any()
    ]


def _sizes_that_differ(data: CocoFile, folder: str) -> list[str]:
    """Compares a sample of the images with the sizes that the file has of them."""
    count = len(data.file_names)
    sample = np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int))
    differ = []
    for i in sample:
        path = osp.join(folder, data.file_names[i])
        size = _read_size(path)
        if size is not None and size != tuple(data.sizes[i]):
            differ.append(
                f'{path} is {size[0]} x {size[1]}, in the file '
                f'{data.sizes[i][0]:.0f} x {data.sizes[i][1]:.0f}'
            )
    if not differ:
        return []
    text = f'{len(differ)} of {len(sample)} images have another size: {differ[0]}'
    if 2 * len(differ) > len(sample):
        raise UserError(f'{data.path}: {text}')
    return [text]


def _read_size(path: str) -> Optional[tuple[int, int]]:
    """Width and height as MMDetection sees them; None of a format Pillow lacks.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE
            return (height, width) if turned else (width, height)
    except UnidentifiedImageError:
        if cv2.haveImageReader(path):
            return None
        raise UserError(f'image {path} is empty, or no image') from None
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f'image {path} cannot be read: {error}') from None
