"""Checks of annotations for mistakes that spoil a training or leave the AP at 0."""

import re
from collections.abc import Sequence

import numpy as np

from ..errors import first_few
from .coco_file import CocoFile, overlaps
from .findings import Findings

COUNTED = 100  # detections of a class in an image that count for the AP
_FACTOR = 2  # between area and mask
_PIXELS = 16  # by which an area may be wrong at any rate
_ODD_SPACE = re.compile(r'^\s|\s$|\s\s|[^\S ]')


def check_objects(data: CocoFile, all_objects: bool = True) -> Findings:
    """Checks an annotation file without its images.

    Args:
        data (CocoFile): The annotation file.
        all_objects (bool): Whether ``data`` has all objects of the file. Else classes
            and images without objects are not known.

    Returns:
        Findings: Those of ``data``.
    """
    findings = data.findings
    _check_boxes(data)
    _check_areas(data)
    if all_objects:
        _check_what_is_empty(data)
    findings.add(
        'crowded-image',
        [data.image_ids[i] for i in sorted(crowded_images(data))],
        len(data.image_ids),
    )
    zeros = [value for value in data.ids if value == 0]
    findings.add('object-id-0', zeros, len(data.ids))
    names = [name for name in data.classes if _ODD_SPACE.search(name)]
    findings.add(
        'spaces-in-class-name',
        [i for i, name in zip(data.category_ids, data.classes) if name in names],
        len(data.classes),
        list(map(repr, names)),
    )
    return findings


def find_other_classes(train: CocoFile, val: CocoFile) -> None:
    """Adds the categories of the validation set whose place in the list differs."""
    if train.classes == val.classes:
        return
    differ = [
        val.category_ids[i]
        for i, name in enumerate(val.classes)
        if train.classes[i : i + 1] != (name,)
    ]
    val.findings.add(
        'other-classes',
        differ or val.category_ids,
        len(val.classes),
        [_difference(train.classes, val.classes)],
    )


def crowded_images(data: CocoFile) -> set[int]:
    """Returns indices of images with more objects of a class than COCO counts."""
    pairs = np.stack([data.images, data.labels], 1)[data.is_used]
    pairs, counts = np.unique(pairs, axis=0, return_counts=True)
    return set(pairs[counts > COUNTED, 0].tolist())


def _check_boxes(data: CocoFile) -> None:
    known = np.flatnonzero(data.images >= 0)
    boxes, sizes = data.boxes[known], data.sizes[data.images[known]]
    corners = boxes[:, :2] + boxes[:, 2:]

    def add(kind: str, which: np.ndarray) -> None:
        places = known[which].tolist()
        data.findings.add(
            kind,
            [data.ids[i] for i in places],
            len(data.ids),
            [
                f'id {data.ids[i]!r}: {_numbers(data.boxes[i])} in an image of '
                f'{_numbers(data.sizes[data.images[i]], " x ")}'
                for i in places[:3]
            ],
        )

    if len(boxes) and corners.max() <= 1:
        add('boxes-between-0-and-1', np.ones(len(boxes), bool))
        return
    is_empty = (boxes[:, 2:] < 1).any(1) | (data.areas[known] <= 0)
    sticks_out = ((corners > sizes + 1) | (boxes[:, :2] < -1)).any(1) & ~is_empty
    if (
        2 * (corners > sizes + 1).any(1).sum() > len(boxes)
        and (boxes[:, 2:] >= boxes[:, :2]).all()
        and (boxes[:, 2:] <= sizes + 1).all()
    ):
        add('boxes-are-corners', sticks_out)
        return
    is_outside = (overlaps(boxes, sizes) <= 0).any(1) & ~is_empty
    add('empty-box', is_empty)
    add('box-outside', is_outside)
    add('box-sticks-out', sticks_out & ~is_outside)
    if len(data.ids) and not data.is_used.any():
        data.findings.add('nothing-to-train-with', data.ids, len(data.ids))


def _check_areas(data: CocoFile) -> None:
    """Compares with the mask's area, or without a mask with the box's.

    Holes and polygons that overlap make the former differ a little, and an area within
    a box may be any part of it.
    """
    masks = data.mask_areas
    has_mask = np.isfinite(masks)
    box_areas = data.boxes[:, 2:].clip(0).prod(1)
    compared = np.where(has_mask, masks, np.minimum(data.areas, box_areas))
    least, most = np.minimum(compared, data.areas), np.maximum(compared, data.areas)
    places = np.flatnonzero(
        (most >= _FACTOR * least + _PIXELS) & (data.areas > 0) & (compared > 0)
    ).tolist()
    data.findings.add(
        'area-differs',
        [data.ids[i] for i in places],
        len(data.ids),
        [
            f'id {data.ids[i]!r}: {data.areas[i]:.0f}, not {compared[i]:.0f}'
            for i in places[:3]
        ],
    )


def _check_what_is_empty(data: CocoFile) -> None:
    if 'broken-entry' in data.findings:
        return  # they may be what is missing
    seen = set(data.labels[data.is_used].tolist())
    unseen = [i for i in range(len(data.classes)) if i not in seen]
    data.findings.add(
        'class-without-objects',
        [data.category_ids[i] for i in unseen],
        len(data.classes),
        [data.classes[i] for i in unseen[:3]],
    )
    with_objects = set(data.images[data.is_used].tolist())
    empty = [i for i in range(len(data.file_names)) if i not in with_objects]
    data.findings.add(
        'image-without-objects',
        [data.image_ids[i] for i in empty],
        len(data.file_names),
        [data.file_names[i] for i in empty[:3]],
    )


def _numbers(values: np.ndarray, separator: str = ', ') -> str:
    return separator.join(f'{value:g}' for value in values)


def _difference(train: Sequence[str], val: Sequence[str]) -> str:
    missing = [name for name in train if name not in val]
    more = [name for name in val if name not in train]
    if not missing and not more:
        return 'in another order'
    parts = [f'without {first_few(missing)}'] * bool(missing)
    parts += [f'with {first_few(more)}'] * bool(more)
    return ' and '.join(parts)
