"""Segmentations of an annotation file, as they are read: polygons and RLE."""

import math
from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np

_AT_ONCE = 2**20  # coordinates whose areas are computed together
_LARGEST = 2**31  # of a run of pixels
_BITS = 5  # that a character of compressed RLE holds
_MORE = 32  # the bit that says that the next character belongs to the number, too
_SIGN = 16


class Masks:
    """Looks at one segmentation after the other, and keeps only what follows.

    Attributes:
        unknown (set[int]): Objects, by number, whose segmentation is of no known form.
        short (list[int]): Objects with a polygon of fewer than three points, or an odd
            number of coordinates.
        damaged (list[int]): Objects whose RLE cannot be read.
        rle (list[tuple[int, int, int]]): Number of the object, height and width, of
            RLE that can be read.
        polygons (array): Whether each object has polygons, as 0 or 1.
    """

    def __init__(self) -> None:
        self.unknown: set[int] = set()
        self.short: list[int] = []
        self.damaged: list[int] = []
        self.rle: list[tuple[int, int, int]] = []
        self.polygons = array('b')
        self._areas = array('d')  # of each object, NaN without a mask
        self._numbers = array('d')  # of the polygons since the last computation
        self._lengths: list[int] = []
        self._owners: list[int] = []

    def add(self, segmentation: Any) -> None:
        """Looks at the segmentation of the next object; None if it has none."""
        number = len(self._areas)
        self._areas.append(math.nan)
        self.polygons.append(isinstance(segmentation, list) and bool(segmentation))
        if not segmentation:
            return
        if isinstance(segmentation, list):
            self._add_polygons(segmentation, number)
        elif isinstance(segmentation, dict):
            self._add_rle(segmentation, number)
        else:
            self.unknown.add(number)

    def areas(self) -> np.ndarray:
        """The areas of all masks in pixels, shape (M,); NaN without a mask.

        Polygons that overlap count twice.
        """
        self._compute()
        return np.array(self._areas, np.float64)

    def _add_polygons(self, polygons: list, number: int) -> None:
        is_short = False
        for polygon in polygons:
            if not isinstance(polygon, list):
                self.unknown.add(number)
                return
            if len(polygon) < 6 or len(polygon) % 2:
                is_short = True
                continue
            try:
                self._numbers.fromlist(polygon)
            except (TypeError, OverflowError):
                self.unknown.add(number)
                return
            self._lengths.append(len(polygon) // 2)
            self._owners.append(number)
        if is_short:
            self.short.append(number)
        if len(self._numbers) > _AT_ONCE:
            self._compute()

    def _compute(self) -> None:
        """Areas by the shoelace formula, of all polygons at once."""
        if not self._lengths:
            return
        x, y = np.array(self._numbers, np.float64).reshape(-1, 2).T
        ends = np.cumsum(np.array(self._lengths, np.intp))
        starts = ends - self._lengths
        following = np.arange(1, len(x) + 1)
        following[ends - 1] = starts
        with np.errstate(all='ignore'):  # of infinite or huge coordinates
            products = x * y[following] - x[following] * y
            doubled = np.add.reduceat(products, starts)
        for number, area in zip(self._owners, (np.abs(doubled) / 2).tolist()):
            before = self._areas[number]
            self._areas[number] = area if math.isnan(before) else before + area
            if not math.isfinite(area):
                self.unknown.add(number)
        self._numbers, self._lengths, self._owners = array('d'), [], []

    def _add_rle(self, segmentation: dict, number: int) -> None:
        counts, size = segmentation.get('counts'), segmentation.get('size')
        if not isinstance(size, list) or not isinstance(counts, (list, str)):
            self.unknown.add(number)
            return
        runs = decode_counts(counts) if isinstance(counts, str) else _checked(counts)
        try:
            height, width = map(int, size)
        except (TypeError, ValueError, OverflowError):
            runs = None
        if runs is None or int(runs.sum()) != height * width:
            self.damaged.append(number)
            return
        self._areas[number] = float(runs[1::2].sum())
        self.rle.append((number, height, width))


def decode_counts(text: str) -> np.ndarray | None:
    """Decodes the string of a compressed RLE.

    pycocotools reads beyond the end of a damaged string. A number is written in
    characters of five bits each, the lowest first, and from the fourth number on as the
    difference to the one before the last.

    Args:
        text (str): ``counts``.

    Returns:
        np.ndarray | None: Lengths of the runs in pixels, first of background; None
        if the text is damaged.
    """
    try:
        characters = np.frombuffer(text.encode('ascii'), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        return None
    if not len(characters) or characters.min() < 0 or characters.max() >= 2 * _MORE:
        return None
    is_last = characters & _MORE == 0
    ends = np.flatnonzero(is_last) + 1
    if not is_last[-1]:
        return None
    lengths = np.diff(ends, prepend=0)
    if lengths.max() * _BITS > 35:  # a number of 32 bits has seven characters
        return None
    starts = ends - lengths
    places = np.arange(len(characters)) - np.repeat(starts, lengths)
    values = np.add.reduceat((characters & (_MORE - 1)) << (_BITS * places), starts)
    values -= (characters[ends - 1] & _SIGN > 0) * (1 << (_BITS * lengths))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return _checked(values)


def _checked(counts: Iterable[int]) -> np.ndarray | None:
    """The counts as an array, None if they are none."""
    try:
        runs = np.array(counts)
    except (TypeError, ValueError, OverflowError):
        return None
    if runs.ndim != 1 or not len(runs) or runs.dtype.kind not in 'iu':
        return None
    return runs if runs.min() >= 0 and runs.max() < _LARGEST else None
