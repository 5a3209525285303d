"""COCO annotation files: read, checked for types, and held in arrays."""

import json
import os.path as osp
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from tqdm import tqdm

from ..errors import UserError
from .findings import Findings, on_one_line, shortened
from .kinds import ERROR, WARNING

Id = int | float | str
_Side = Annotated[float, Meta(ge=1, lt=1e9)]  # pixels: more is a mistake
_Coordinate = Annotated[float, Meta(gt=-1e9, lt=1e9)]
_Byte = Annotated[float, Meta(ge=0, le=255)]  # which pycocotools reads it as


class Image(Struct):
    """An entry of ``images``: what MMDetection reads of it."""

    id: Id
    file_name: str
    width: _Side
    height: _Side


class Category(Struct):
    """An entry of ``categories``."""

    id: Id
    name: str


class Object(Struct):
    """An entry of ``annotations``; its mask is decoded by :func:`measure_mask`."""

    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate]
    area: Annotated[float, Meta(gt=-1e18, lt=1e18)]
    iscrowd: bool | _Byte | UnsetType = UNSET
    ignore: Any = False
    segmentation: Raw = Raw(b'null')


class Rle(Struct):
    """A run-length encoded mask: a list of run lengths, or pycocotools' string."""

    counts: list[int] | str
    size: tuple[int, int]


class CocoLists(Struct):
    """The three lists of a file; each entry still JSON, or from Python's parser."""

    images: list[Raw | Any] = []
    annotations: list[Raw | Any] = []
    categories: list[Raw | Any] = []


class _RawLists(Struct):
    images: list[Raw] = []
    annotations: list[Raw] = []
    categories: list[Raw] = []


class _Name(Struct):
    name: str


_ENTRIES: dict[str, msgspec.json.Decoder] = dict(
    images=msgspec.json.Decoder(Image),
    annotations=msgspec.json.Decoder(Object),
    categories=msgspec.json.Decoder(Category),
)
_MASK = msgspec.json.Decoder(list[list[float]] | Rle)


@dataclass
class CocoFile:
    """The content of a COCO annotation file with N images and M objects.

    Entries that cannot be used are left out and reported in ``findings``.

    Attributes:
        path (str): The file.
        lists (CocoLists): All entries as JSON, including those that are left out.
        classes (tuple[str]): Names of the categories in the order of the file, which
            is how MMDetection numbers classes.
        category_ids (list): Their ids.
        image_ids (list): N ids.
        file_names (list[str]): N file names, relative to the folder of the images.
        sizes (np.ndarray): Widths and heights in pixels, shape (N, 2).
        ids (list): M ids.
        images (np.ndarray): Index of each object's image, shape (M,); -1 if it is
            not listed.
        labels (np.ndarray): Index of each object's class, shape (M,); -1 if it is not
            listed.
        boxes (np.ndarray): Boxes (x, y, width, height) in pixels, shape (M, 4).
        areas (np.ndarray): ``area`` of the file in pixels, shape (M,).
        mask_areas (np.ndarray): Areas of the masks, shape (M,); NaN without a mask.
        has_mask (np.ndarray): Whether there is a segmentation, shape (M,), bool.
        is_crowd (np.ndarray): Whether it is a group of objects, shape (M,), bool.
        is_loaded (np.ndarray): Whether MMDetection loads the object, shape (M,), bool.
            It drops objects that have ``ignore``, lie outside the image, have no area
            or are less than a pixel wide or high.
        findings (Findings): All that was found so far; at first problems with types,
            ids and masks.
        folder (str): The folder that the file names are relative to.
        files (list[ImageFile | None]): The result of each image that was read.
    """

    path: str
    lists: CocoLists
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
    is_loaded: np.ndarray
    findings: Findings
    folder: str = ''
    files: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        masks = 'with masks' if self.has_masks else 'with boxes only'
        classes = 'class' if len(self.classes) == 1 else 'classes'
        return (
            f'{len(self.file_names):,} images, {len(self.images):,} objects of '
            f'{len(self.classes):,} {classes}, {masks}'
        )

    @property
    def is_used(self) -> np.ndarray:
        """Whether a detector learns to find the object: loaded, and no crowd."""
        return self.is_loaded & ~self.is_crowd

    @property
    def has_masks(self) -> bool:
        """Whether each object that is loaded has a mask."""
        return bool(self.has_mask[self.is_loaded].all())

    def object_sizes(self) -> np.ndarray:
        """Returns sqrt(width * height) in pixels of the boxes that are trained with."""
        return np.sqrt(self.boxes[self.is_used, 2:].prod(1))


def read_lists(path: str) -> CocoLists:
    """Reads a COCO annotation file without decoding its entries.

    Args:
        path (str): The file.

    Raises:
        UserError: If it does not exist, or is no JSON object with lists.
    """
    if not osp.isfile(path):
        raise UserError(f'annotation file {path} does not exist: check its path')
    try:
        with open(path, 'rb') as file:
            content = file.read()
        try:
            raw = msgspec.json.decode(content, type=_RawLists)
            return CocoLists(raw.images, raw.annotations, raw.categories)
        except msgspec.DecodeError:
            # Python's parser, with which MMDetection reads, knows NaN and halves of
            # surrogate pairs, as names of files have that are no UTF-8.
            loaded = json.loads(content.decode(), parse_constant=str)
            return msgspec.convert(loaded, CocoLists)
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        raise UserError(
            f'{path} is not a COCO annotation file, or it is cut off or damaged: '
            f'{str(error) or type(error).__name__}'
        ) from None


def write_lists(path: str, **lists: Iterable[Any]) -> None:
    """Writes a COCO annotation file of entries of :class:`CocoLists`."""
    parts = (
        b'"%s": [\n%s]' % (key.encode(), b',\n'.join(map(_as_json, entries)))
        for key, entries in lists.items()
    )
    with open(path, 'wb') as file:
        file.write(b'{' + b',\n'.join(parts) + b'}\n')


def read_categories(path: str) -> list[str]:
    """Reads the names of the categories of a COCO annotation file.

    Raises:
        UserError: If the file does not exist, or has no such list.
    """
    try:
        names = msgspec.json.Decoder(_Name)
        found = [_decode_entry(one, names).name for one in read_lists(path).categories]
    except msgspec.DecodeError:
        found = []
    if not found:
        raise UserError(
            f'{path} is not a COCO annotation file: it has no list "categories" of '
            'ids and names'
        )
    return found


def read_coco_file(
    path: str,
    needs_objects: bool = True,
    evaluates: bool = True,
    first: int | None = None,
    folder: str = '',
) -> CocoFile:
    """Reads a COCO annotation file.

    Args:
        path (str): The file; its lists ``images``, ``annotations`` and ``categories``
            may stand in any order.
        needs_objects (bool): Whether a file without objects is refused.
        evaluates (bool): Whether a detector is evaluated with it, so that
            what only pycocotools cannot digest is an error.
        first (int, optional): Number of objects to read; by default all.
        folder (str): The folder of its images.

    Raises:
        UserError: If it is no such file, or has no images, objects or classes.
    """
    lists = read_lists(path)
    for key in _ENTRIES:
        if not getattr(lists, key) and (needs_objects or key != 'annotations'):
            raise UserError(
                f'{path} has no {key}: its list "{key}" is missing or empty'
            )
    broken: list[str] = []
    images = _decode(lists, 'images', broken)
    categories = _decode(lists, 'categories', broken)
    if not images or not categories:
        raise UserError(f'{path}: {broken[0]}')
    objects = _decode(lists, 'annotations', broken, first)
    sizes = np.array([(i.width, i.height) for i in images], float)
    of_images = _positions([o.image_id for o in objects], [i.id for i in images])
    labels = _positions([o.category_id for o in objects], [c.id for c in categories])
    boxes = np.array([o.bbox for o in objects], float).reshape(-1, 4)
    areas = np.array([o.area for o in objects], float)
    inside = overlaps(boxes, sizes[of_images])
    masks = [measure_mask(o.segmentation) for o in objects]
    data = CocoFile(
        path=path,
        lists=lists,
        classes=tuple(c.name for c in categories),
        category_ids=[c.id for c in categories],
        image_ids=[i.id for i in images],
        file_names=[i.file_name for i in images],
        sizes=sizes,
        ids=[o.id for o in objects],
        images=of_images,
        labels=labels,
        boxes=boxes,
        areas=areas,
        mask_areas=np.array([area for area, _, _ in masks], float),
        has_mask=np.array([form != '' for _, form, _ in masks], bool),
        is_crowd=np.array([o.iscrowd not in (UNSET, 0) for o in objects], bool),
        is_loaded=(of_images >= 0)
        & (labels >= 0)
        & ~np.array([bool(o.ignore) for o in objects], bool)
        & (areas > 0)
        & (inside > 0).all(1)
        & (boxes[:, 2:] >= 1).all(1),
        findings=Findings(path),
        folder=folder,
    )
    total = sum(len(getattr(lists, key)) for key in _ENTRIES)
    places = [text.partition(' has ')[0] for text in broken]
    # The first of each field.
    kinds = {
        re.split('[=:]', text, maxsplit=1)[0].partition(' has ')[2]: text
        for text in broken[::-1]
    }
    data.findings.add('broken-entry', places, total, [*kinds.values()][::-1])
    _check_ids(data, objects, evaluates)
    _check_masks(data, [o.segmentation for o in objects], masks)
    return data


def measure_mask(raw: Raw) -> tuple[float, str, Any]:
    """Measures a segmentation.

    Args:
        raw (Raw): Its JSON.

    Returns:
        tuple: Its area in pixels, where polygons that overlap count twice; its form:
        '' for none, 'polygons', 'rle', or the kind of mistake; and RLE's size [height,
        width].
    """
    if len(bytes(raw)) < 8 and not msgspec.json.decode(raw):
        return np.nan, '', None
    try:
        mask = _MASK.decode(raw)
        if isinstance(mask, list):
            if any(len(polygon) < 6 or len(polygon) % 2 for polygon in mask):
                return np.nan, 'short-polygon', None
            points = (np.array(p, np.float32).reshape(-1, 2) for p in mask)
            return sum(map(cv2.contourArea, points)), 'polygons', None
        counts = mask.counts
        runs = decode_counts(counts) if isinstance(counts, str) else counts
        if min(runs) < 0 or max(runs) >= 2**31 or sum(runs) != np.prod(mask.size):
            raise ValueError(mask)
        return sum(runs[1::2]), 'rle', mask.size
    except (ValueError, OverflowError):
        is_rle = bytes(raw).lstrip()[:1] == b'{'
        return np.nan, 'rle-does-not-fit' if is_rle else 'unknown-mask', None


def decode_counts(text: str) -> list[int]:
    """Decodes the string of a compressed RLE, as pycocotools' ``rleFrString`` does.

    pycocotools reads beyond the end of a damaged string. A number is written in
    characters of five bits each, the lowest first, and from the fourth number on as the
    difference to the one before the last.

    Args:
        text (str): ``counts``.

    Returns:
        list[int]: Run lengths in pixels, starting with the background.

    Raises:
        ValueError: If the text is damaged.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text.encode('ascii'):
        bits = character - 48
        if not 0 <= bits < 64 or shift > 30:  # seven characters hold 32 bits
            raise ValueError(text)
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:  # the last character of this number
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError(text)
    return counts


def overlaps(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Width and height of the part of each box inside its image; negative outside.

    Args:
        boxes (np.ndarray): (x, y, width, height), shape (M, 4).
        sizes (np.ndarray): Widths and heights of the images, shape (M, 2).
    """
    return np.minimum(boxes[:, :2] + boxes[:, 2:], sizes) - np.maximum(boxes[:, :2], 0)


def _decode(
    lists: CocoLists, key: str, broken: list[str], first: int | None = None
) -> list:
    """Decodes the entries of a list, and describes those that are broken."""
    entries = []
    raws = getattr(lists, key)[:first]
    for number, raw in enumerate(tqdm(raws, f'reading {key}', delay=5, leave=False), 1):
        try:
            entries.append(_decode_entry(raw, _ENTRIES[key]))
        except ValueError as error:
            broken.append(f'entry {number} of "{key}" {_describe(raw, str(error))}')
    return entries


def _decode_entry(entry: Any, decoder: msgspec.json.Decoder) -> Any:
    if isinstance(entry, Raw):
        return decoder.decode(entry)
    if isinstance(entry, dict) and 'segmentation' in entry:
        entry = dict(entry, segmentation=Raw(_as_json(entry['segmentation'])))
    return msgspec.convert(entry, decoder.type)


def _as_json(entry: Any) -> bytes:
    return bytes(entry) if isinstance(entry, Raw) else json.dumps(entry).encode()


def _describe(raw: Any, error: str) -> str:
    """Names the field, its value and the expected type, from msgspec's error."""
    if missing := re.search(r'missing required field `(\w+)`', error):
        return f'has no {missing[1]!r}: {_shown(raw)}'
    expected, _, place = error.partition(' - at `$.')
    if name := re.match(r'\w+', place):
        value = json.loads(_as_json(raw))[name[0]]
        return f'has {name[0]}={shortened(value)}: {expected.lower()}'
    return f'has the wrong form: {expected.lower()}: {_shown(raw)}'


def _shown(raw: Any, limit: int = 100) -> str:
    return on_one_line(_as_json(raw).decode(errors='replace'), limit)


def _positions(wanted: Sequence[Hashable], ids: Sequence[Hashable]) -> np.ndarray:
    """Returns the place of each id among ``ids``; -1 if it is not there."""
    places = {value: place for place, value in enumerate(ids)}
    return np.array([places.get(value, -1) for value in wanted], np.intp)


def _check_ids(data: CocoFile, objects: list[Object], evaluates: bool) -> None:
    found, count = data.findings, len(data.ids)
    _find_duplicates(found, 'duplicate-image-id', data.image_ids)
    _find_duplicates(found, 'duplicate-object-id', data.ids)
    _find_duplicates(found, 'duplicate-category-id', data.category_ids)
    _find_duplicates(found, 'duplicate-class-name', data.category_ids, data.classes)
    _find_duplicates(found, 'duplicate-file-name', data.image_ids, data.file_names)
    severity = ERROR if evaluates else WARNING
    for kind, ids in (
        ('mixed-image-ids', data.image_ids),
        ('mixed-category-ids', data.category_ids),
    ):
        texts = [value for value in ids if isinstance(value, str)]
        if len(texts) < len(ids):
            found.add(kind, texts, len(ids), severity=severity)
    texts = [value for value in data.ids if isinstance(value, str)]
    found.add('text-object-id', texts, count)
    broken = found.get('broken-entry')
    lists = ' '.join(broken.ids) if broken else ''
    for kind, positions, name, entries in (
        ('unlisted-image', data.images, 'image_id', '"images"'),
        ('unknown-category', data.labels, 'category_id', '"categories"'),
    ):
        if entries in lists:
            continue  # they may be what is missing
        places = np.flatnonzero(positions < 0).tolist()
        examples = [
            f'id {shortened(data.ids[i])}: {shortened(getattr(objects[i], name))}'
            for i in places[:3]
        ]
        found.add(kind, [data.ids[i] for i in places], count, examples)
    missing = [o.id for o in objects if o.iscrowd is UNSET]
    found.add('no-iscrowd', missing, count, severity=severity)


def _check_masks(
    data: CocoFile, raws: Sequence[Raw], masks: Sequence[tuple[float, str, Any]]
) -> None:
    places: dict[str, list[int]] = {}
    for place, (_, form, size) in enumerate(masks):
        image = data.images[place]
        if form == 'rle' and image >= 0 and tuple(data.sizes[image][::-1]) != size:
            form = 'rle-does-not-fit'
        elif form == 'polygons' and data.is_crowd[place]:
            form = 'crowd-with-polygons'
        if form not in ('', 'rle', 'polygons'):
            places.setdefault(form, []).append(place)
    for kind, found in places.items():
        examples = None
        if kind in ('unknown-mask', 'rle-does-not-fit'):
            examples = [
                f'id {shortened(data.ids[i])}: {_shown(raws[i], 50)}' for i in found[:3]
            ]
        data.findings.add(kind, [data.ids[i] for i in found], len(masks), examples)


def _find_duplicates(
    findings: Findings, kind: str, ids: list, values: Sequence | None = None
) -> None:
    """Adds the ids of entries whose value an entry before them has."""
    compared = ids if values is None else values
    seen: set[Hashable] = set()
    # set.add returns None.
    again = [i for i, v in enumerate(compared) if v in seen or seen.add(v)]  # type: ignore[func-returns-value]
    examples = None if values is None else [values[i] for i in again[:3]]
    findings.add(kind, [ids[i] for i in again], len(ids), examples)
