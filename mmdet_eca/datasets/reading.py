"""Reads a COCO annotation file, and says which of its entries are wrong."""

import math
from array import array
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..errors import UserError
from .coco_file import CocoFile, overlaps
from .findings import Findings, shortened
from .json_lists import iterate_list, iterate_lists
from .masks import Masks

_LARGEST = 1e9  # pixels: what is beyond is a mistake, and products overflow


def read_coco_file(path: str, needs_objects: bool = True) -> CocoFile:
    """Reads a COCO annotation file.

    Args:
        path (str): The file; its lists ``images``, ``annotations`` and ``categories``
            may stand in any order.
        needs_objects (bool): Whether a file without objects is refused.

    Raises:
        UserError: If it is no such file, or has no images, objects or classes.
    """
    entries = _Entries(path)
    for key, value in iterate_lists(path):
        entries.add(key, value)
    entries.refuse_empty(needs_objects)
    return entries.finish()


def read_first_objects(path: str, count: int, needs_objects: bool = True) -> CocoFile:
    """Reads all images and categories of a large file, and the first objects.

    Args:
        path (str): The file.
        count (int): Number of objects to read.
        needs_objects (bool): Whether a file without objects is refused.

    Raises:
        UserError: If it is no such file, or has no images, objects or classes.
    """
    entries = _Entries(path)
    for key in entries.counts:
        # COCO has the categories at its end.
        elements = iterate_list(path, key, from_end=key == 'categories')
        for value in islice(elements, count if key == 'annotations' else None):
            entries.add(key, value)
    entries.refuse_empty(needs_objects)
    return entries.finish()


class _Entries:
    """Collects what the entries of the lists hold, column by column."""

    def __init__(self, path: str) -> None:
        self.counts = dict(images=0, annotations=0, categories=0)
        self._path = path
        self._broken: list[str] = []
        self._readers = dict(
            images=self._add_image,
            annotations=self._add_object,
            categories=self._add_category,
        )
        self._image_ids: list[Hashable] = []
        self._file_names: list[str] = []
        self._sizes = array('d')
        self._category_ids: list[Hashable] = []
        self._names: list[str] = []
        self._ids: list[Hashable] = []
        self._of_images: list[Hashable] = []
        self._of_categories: list[Hashable] = []
        self._boxes = array('d')
        self._areas = array('d')
        self._flags = array('b')  # has mask, is crowd, is ignored, has no iscrowd
        self._masks = Masks()

    def add(self, key: str, value: Any) -> None:
        """Adds an element of a list; those of other lists are passed over."""
        if key not in self.counts:
            return
        self.counts[key] += 1
        try:
            self._readers[key](value)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
            missing = f'has no {e}' if type(e) is KeyError else 'is wrong'
            self._broken.append(
                f'entry {self.counts[key]} of "{key}" {missing}: {shortened(value)}'
            )

    def refuse_empty(self, needs_objects: bool) -> None:
        """Raises a UserError if there was nothing in a list, or nothing of use."""
        for key, count in self.counts.items():
            if not count and (needs_objects or key != 'annotations'):
                raise UserError(
                    f'{self._path} has no {key}: its list "{key}" is missing or empty'
                )
        if not self._image_ids or not self._names:
            raise UserError(f'{self._path}: {self._broken[0]}')

    def finish(self) -> CocoFile:
        """Returns all of it, with what was found on the way."""
        sizes = np.array(self._sizes, np.float64).reshape(-1, 2)
        images = _positions(self._of_images, self._image_ids)
        labels = _positions(self._of_categories, self._category_ids)
        boxes = np.array(self._boxes, np.float64).reshape(-1, 4)
        areas = np.array(self._areas, np.float64)
        flags = np.array(self._flags, bool).reshape(-1, 4)
        has_mask, is_crowd, is_ignored, _ = flags.T
        data = CocoFile(
            path=self._path,
            classes=tuple(self._names),
            category_ids=self._category_ids,
            image_ids=self._image_ids,
            file_names=self._file_names,
            sizes=sizes,
            ids=self._ids,
            images=images,
            labels=labels,
            boxes=boxes,
            areas=areas,
            mask_areas=self._masks.areas(),
            has_mask=has_mask,
            is_crowd=is_crowd,
            is_used=(images >= 0) & (labels >= 0) & ~is_ignored & (areas > 0),
            findings=Findings(self._path),
        )
        known = data.is_used.nonzero()[0]
        boxes = boxes[known]
        inside = overlaps(boxes, sizes[images[known]])
        data.is_used[known] = (inside > 0).all(1) & (boxes[:, 2:] >= 1).all(1)
        self._find(data)
        return data

    def _add_image(self, entry: dict) -> None:
        name, width, height = entry['file_name'], entry['width'], entry['height']
        size = (float(width), float(height))
        if not isinstance(name, str) or not all(1 <= side < _LARGEST for side in size):
            raise ValueError(name, size)
        self._image_ids.append(_hashable(entry['id']))
        self._file_names.append(name)
        self._sizes.extend(size)

    def _add_category(self, entry: dict) -> None:
        if not isinstance(entry['name'], str):
            raise TypeError(entry['name'])
        self._category_ids.append(_hashable(entry['id']))
        self._names.append(entry['name'])

    def _add_object(self, entry: dict) -> None:
        x, y, width, height = map(float, entry['bbox'])
        area = float(entry['area'])
        largest = max(abs(x), abs(y), abs(width), abs(height), abs(area) ** 0.5)
        if not largest < _LARGEST or math.isnan(x + y + width + height + area):
            raise ValueError(entry['bbox'])
        ids = entry['id'], entry['image_id'], entry['category_id']
        hash(ids)  # a TypeError of what cannot be an id
        segmentation = entry.get('segmentation')
        is_crowd = bool(entry.get('iscrowd'))
        self._ids.append(ids[0])
        self._of_images.append(ids[1])
        self._of_categories.append(ids[2])
        self._boxes.extend((x, y, width, height))
        self._areas.append(area)
        self._flags.extend(
            (
                bool(segmentation),
                is_crowd,
                bool(entry.get('ignore')),
                'iscrowd' not in entry,
            )
        )
        self._masks.add(segmentation)

    def _find(self, data: CocoFile) -> None:
        """Adds what is wrong with entries, ids and masks."""
        found, masks = data.findings, self._masks
        broken = [text.partition(':')[0] for text in self._broken]
        found.add('broken-entry', broken, sum(self.counts.values()), self._broken)
        _find_duplicates(found, 'duplicate-image-id', data.image_ids)
        _find_duplicates(found, 'duplicate-object-id', data.ids)
        _find_duplicates(found, 'duplicate-category-id', data.category_ids)
        _find_duplicates(
            found, 'duplicate-class-name', data.category_ids, list(data.classes)
        )
        _find_duplicates(found, 'duplicate-file-name', data.image_ids, data.file_names)
        count = len(data.ids)

        def add(kind: str, places: Iterable[int], values: list | None = None) -> None:
            places = list(places)
            found.add(
                kind,
                [data.ids[i] for i in places],
                count,
                values and [f'id {data.ids[i]!r}: {values[i]!r}' for i in places[:3]],
            )

        add('unlisted-image', np.flatnonzero(data.images < 0), self._of_images)
        add('unknown-category', np.flatnonzero(data.labels < 0), self._of_categories)
        add('unknown-mask', sorted(masks.unknown))
        add('short-polygon', masks.short)
        differ = [
            number
            for number, height, width in masks.rle
            if data.images[number] >= 0
            and (width, height) != tuple(data.sizes[data.images[number]])
        ]
        add('rle-does-not-fit', sorted([*masks.damaged, *differ]))
        polygons = np.array(masks.polygons, bool)
        add('crowd-with-polygons', np.flatnonzero(polygons & data.is_crowd))
        flags = np.array(self._flags, bool).reshape(-1, 4)
        add('no-iscrowd', np.flatnonzero(flags[:, 3]))


def _hashable(value: Any) -> Hashable:
    hash(value)  # a TypeError of what cannot be an id
    return value


def _positions(wanted: Sequence[Hashable], ids: Sequence[Hashable]) -> np.ndarray:
    """Where each id stands among ``ids``; -1 if it does not."""
    places = {value: place for place, value in enumerate(ids)}
    return np.array([places.get(value, -1) for value in wanted], np.int64)


def _find_duplicates(
    findings: Findings, kind: str, ids: list, values: list | None = None
) -> None:
    """Adds the ids of those whose value another one before them has."""
    compared = ids if values is None else values
    if len(set(compared)) == len(compared):
        return
    seen: set[Hashable] = set()
    again = []
    for place, value in enumerate(compared):
        if value in seen:
            again.append(place)
        seen.add(value)
    examples = None if values is None else [values[i] for i in again[:3]]
    findings.add(kind, [ids[i] for i in again], len(ids), examples)
