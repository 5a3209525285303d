"""Images of a data set: present, readable, and of the size that the file says."""

import os
import os.path as osp
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

import cv2
import numpy as np
from mmdet.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from ..errors import UserError
from .coco_file import CocoFile
from .kinds import ERROR

_LENIENT = ('PNG', 'GIF')  # formats that Pillow reads without their end
_DARK = 64  # what is read of 14 bits or fewer in 16 is below it
_PNG = b'\x89PNG\r\n\x1a\n'


class ImageFile(NamedTuple):
    """The result of reading a file.

    Attributes:
        size (tuple[int], optional): Width and height as MMDetection sees them.
        bytes (int): Length of the file.
        problem (str): A kind of finding, or ''.
        reason (str): The reason, for a message.
        peak (int, optional): Largest value that MMDetection reads, of an image with
            more than 8 bits a channel.
    """

    size: tuple[int, int] | None
    bytes: int
    problem: str = ''
    reason: str = ''
    peak: int | None = None


def build_reader(pipeline: Sequence[dict] | None = None) -> Callable[[dict], dict]:
    """Builds the step of a config's pipeline that reads the image.

    Args:
        pipeline (Sequence[dict], optional): The pipeline; by default, or if it begins
            with something else, MMDetection's ``LoadImageFromFile``.
    """
    for step in list(pipeline or [])[:1]:
        name = step['type'] if isinstance(step['type'], str) else step['type'].__name__
        if 'FromFile' in name:
            return TRANSFORMS.build(dict(step))
    return TRANSFORMS.build(dict(type='LoadImageFromFile'))


def check_images(
    data: CocoFile, sample: int | None = None, pipeline: Sequence[dict] | None = None
) -> None:
    """Checks that all files exist, and reads each one or a sample as training does.

    Args:
        data (CocoFile): The annotation file, which gets ``files`` and findings.
        sample (int, optional): Number of images, evenly spread over the file, that are
            read; by default all.
        pipeline (Sequence[dict], optional): The config's pipeline, whose reader reads.

    Raises:
        UserError: If the folder does not exist.
    """
    folder, findings = data.folder, data.findings
    check_folder(folder)
    count = len(data.file_names)
    is_there = _find_files(data.file_names, folder)
    missing = [i for i in range(count) if not is_there[i]]
    findings.add(
        'missing-image',
        [data.image_ids[i] for i in missing],
        count,
        [_explain_missing(data.file_names[i], folder) for i in missing[:3]],
    )
    there = [i for i in range(count) if is_there[i]]
    if sample is not None and len(there) > sample:
        chosen = np.linspace(0, len(there) - 1, sample).round().astype(int)
        there = [there[i] for i in chosen]
    paths = [osp.join(folder, data.file_names[i]) for i in there]
    data.files = [None] * count
    for i, file in zip(there, read_image_files(paths, build_reader(pipeline))):
        data.files[i] = file
        if file.problem:
            example = f'{data.file_names[i]}: {file.reason}'
            findings.add(file.problem, [data.image_ids[i]], len(there), [example])
        elif file.size != tuple(data.sizes[i]):
            example = '{} is {} x {}, in the file {:g} x {:g}'.format(
                data.file_names[i], *(file.size or ()), *data.sizes[i]
            )
            findings.add('size-differs', [data.image_ids[i]], len(there), [example])
    _check_depth(data, len(there))


def check_folder(folder: str) -> None:
    """Raises a UserError if there is no such folder of images."""
    if not osp.isdir(folder):
        raise UserError(f'folder of images {folder} does not exist: check its path')


def read_image_files(
    paths: Sequence[str], reader: Callable[[dict], dict]
) -> list[ImageFile]:
    """Reads images on all cores, with a progress bar that says what is left."""
    bar: dict[str, Any] = dict(desc='images', total=len(paths), delay=5, leave=False)
    # The findings say which files cannot be read. OpenCV 5 has moved the two functions.
    log = cv2 if hasattr(cv2, 'setLogLevel') else cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(0)
    try:
        # OpenCV decodes without Python's lock, so threads are enough.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(
                tqdm(threads.map(partial(read_image_file, reader=reader), paths), **bar)
            )
    finally:
        log.setLogLevel(level)


def read_image_file(path: str, reader: Callable[[dict], dict]) -> ImageFile:
    """Reads an image as training does, and finds out why it cannot be read.

    Args:
        path (str): The file.
        reader (Callable): A transform such as MMDetection's ``LoadImageFromFile``.
    """
    length = osp.getsize(path) if osp.isfile(path) else 0
    try:
        image = reader(dict(img_path=path))['img']
        peak = int(image.max()) if _loses_bits(path, image) else None
    except Exception as error:  # a broken file may lead to any
        return ImageFile(None, length, *_explain_unreadable(path, length, error))
    return ImageFile((image.shape[1], image.shape[0]), length, peak=peak)


def _loses_bits(path: str, image: np.ndarray) -> bool:
    """Whether the file has more than the 8 bits a channel that were read."""
    with open(path, 'rb') as file:
        head = file.read(25)
    if image.dtype != np.uint8 or head.startswith(b'\xff\xd8'):  # JPEG has 8
        return False
    if head.startswith(_PNG):
        return head[24] > 8
    stored = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return stored is not None and stored.dtype != np.uint8


def _explain_unreadable(path: str, length: int, error: Exception) -> tuple[str, str]:
    """Returns kind of finding and reason: Pillow often knows more than OpenCV says."""
    if not length:
        return 'unreadable-image', 'empty'
    opened = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as opened:
                opened.load()
                form = f'{opened.format} with pixels of type {opened.mode}'
    except UnidentifiedImageError:
        return 'unreadable-image', 'no image'
    except Exception as reason:  # Pillow's readers raise many kinds
        return f'{"truncated" if opened else "unreadable"}-image', str(reason)
    if opened.format in _LENIENT:
        return 'truncated-image', 'without its end, or damaged'
    return 'unreadable-image', f'{form}: {error}'


def _check_depth(data: CocoFile, of: int) -> None:
    """Adds images of more than 8 bits; 9 to 14 in 16 are nearly black: an error."""
    peaks = {i: f.peak for i, f in enumerate(data.files) if f and f.peak is not None}
    data.findings.add(
        'more-than-8-bits',
        [data.image_ids[i] for i in peaks],
        of,
        [
            f'{data.file_names[i]}: MMDetection reads values from 0 to {peak}'
            for i, peak in list(peaks.items())[:3]
        ],
        severity=ERROR if peaks and max(peaks.values()) < _DARK else None,
    )


def _find_files(names: Sequence[str], folder: str) -> list[bool]:
    """Lists each folder once, which is faster than asking for each file."""
    listed: dict[str, set[str]] = {}
    for subfolder in {osp.dirname(name) for name in names}:
        listed[subfolder] = _list_folder(osp.join(folder, subfolder))
    return [osp.basename(name) in listed[osp.dirname(name)] for name in names]


def _list_folder(path: str) -> set[str]:
    if not osp.isdir(path):
        return set()
    try:
        return set(os.listdir(path))
    except OSError as error:
        raise UserError(f'folder of images {path} cannot be read: {error}') from None


def _explain_missing(name: str, folder: str) -> str:
    """Returns the name, and the file that may be meant."""
    parts = unquote(name).replace('\\', '/')
    for subfolder in ('' if osp.isabs(parts) else osp.dirname(parts), ''):
        key = _comparable(osp.basename(parts))
        for found in sorted(_list_folder(osp.join(folder, subfolder))):
            if _comparable(found) == key:
                shown = osp.join(subfolder, found)
                if unicodedata.normalize('NFC', name) == shown or (
                    unicodedata.normalize('NFD', name) == shown
                ):
                    form = 'NFC' if unicodedata.is_normalized('NFC', shown) else 'NFD'
                    return f'{name}: ls shows the same in the Unicode form {form}'
                if subfolder or osp.basename(name) != found or osp.isabs(name):
                    return f'{name}: ls shows it as {shown}'
                return f'{name}: give the folder that {osp.dirname(name)}/ is in'
    return name


def _comparable(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
