"""Images of a data set: that they exist, are whole, and have the size that is said."""

import multiprocessing
import os
import os.path as osp
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from ..errors import UserError
from .coco_file import CocoFile
from .findings import Findings

_ORIENTATION = 0x0112  # EXIF's tag; MMDetection turns the pixels by it
_ON_THEIR_SIDE = (5, 6, 7, 8)
_TAIL = 64  # bytes in which the end of a JPEG or PNG is looked for
_JPEG_END = b'\xff\xd9'
_PNG_END = b'IEND\xaeB`\x82'  # with its checksum
_ALWAYS_CREDIBLE = 2**26  # pixels
_PIXELS_A_BYTE = 10_000
_IN_PROCESSES = 2000  # images; fewer are read sooner than processes start


class ImageFile(NamedTuple):
    """What is known of a file.

    Attributes:
        size (tuple[int], optional): Width and height as MMDetection sees them; None if
            unknown, of a format that Pillow lacks.
        bytes (int): Length of the file.
        problem (str): A kind of finding, or ''.
        reason (str): What the library says.
    """

    size: tuple[int, int] | None
    bytes: int
    problem: str = ''
    reason: str = ''


def check_images(
    data: CocoFile, folder: str, findings: Findings, sample: int | None = None
) -> list[ImageFile | None]:
    """Checks that all files exist, and looks at each one or at a sample.

    Args:
        data (CocoFile): The annotation file.
        folder (str): The folder that its file names are relative to.
        findings (Findings): Gets what is found.
        sample (int, optional): Number of images, evenly spread over the file, that are
            opened; by default all.

    Returns:
        list[ImageFile | None]: Of each image that was looked at; else None.

    Raises:
        UserError: If the folder does not exist.
    """
    check_folder(folder)
    count = len(data.file_names)
    is_missing = _find_missing(data.file_names, folder)
    missing = [i for i in range(count) if is_missing[i]]
    there = [i for i in range(count) if not is_missing[i]]
    detail = _hint(data, folder, missing)
    findings.add(
        'missing-image',
        [data.image_ids[i] for i in missing],
        count,
        [data.file_names[i] for i in missing[:3]],
        detail=detail,
    )
    if sample is not None and len(there) > sample:
        chosen = np.linspace(0, len(there) - 1, sample).round().astype(int)
        there = [there[i] for i in chosen]
    files = read_image_files([osp.join(folder, data.file_names[i]) for i in there])
    results: list[ImageFile | None] = [None] * count
    for i, file in zip(there, files):
        results[i] = file
        _add_problem(data, findings, i, file, len(there))
    return results


def check_folder(folder: str) -> None:
    """Raises a UserError if there is no such folder of images."""
    if not osp.isdir(folder):
        raise UserError(f'folder of images {folder} does not exist: check its path')


def read_image_files(paths: Sequence[str]) -> list[ImageFile]:
    """Looks at images, on all cores, with a progress bar that says what is left."""
    bar = dict(desc='images', total=len(paths), delay=5, leave=False)
    cores = len(os.sched_getaffinity(0))
    if len(paths) < _IN_PROCESSES or cores == 1:
        return list(tqdm(map(read_image_file, paths), **bar))
    with multiprocessing.get_context('fork').Pool(cores) as pool:
        return list(tqdm(pool.imap(read_image_file, paths, 256), **bar))


def read_image_file(path: str) -> ImageFile:
    """Reads the header, and looks whether the file has its end.

    A JPEG without its end marker is decoded, since something may stand behind it, and
    any other format but PNG.
    """
    length = osp.getsize(path) if osp.isfile(path) else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of large images, of odd EXIF
            with Image.open(path) as image:
                # Of a PNG its own getexif decodes all pixels.
                exif = Image.Image.getexif(image)
                width, height = image.size
                if exif.get(_ORIENTATION) in _ON_THEIR_SIDE:
                    width, height = height, width
                reason = _what_is_missing(image, path, length)
    except Image.DecompressionBombError:
        return ImageFile(None, length)  # so large that Pillow refuses; OpenCV reads it
    except UnidentifiedImageError:
        return _read_by_opencv(path, length)
    except Exception as error:  # Pillow's readers raise many kinds
        return ImageFile(None, length, 'unreadable-image', str(error))
    if reason:
        return ImageFile(None, length, 'truncated-image', reason)
    return ImageFile((width, height), length)


def is_size_credible(path: str) -> bool:
    """Whether a file can have as many pixels as its header says.

    A decoder allocates them before it reads on. A picture of one colour has up to some
    thousand pixels a byte; 2^26, which a camera may have, are always believed.

    Args:
        path (str): The file; what Pillow cannot open is credible, as far as it knows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # at least
    except Exception:  # Pillow's readers raise many kinds
        return True
    return pixels <= max(_ALWAYS_CREDIBLE, _PIXELS_A_BYTE * osp.getsize(path))


def _what_is_missing(image: Image.Image, path: str, length: int) -> str:
    """What a file lacks at its end; '' if it is whole."""
    with open(path, 'rb') as file:
        file.seek(max(0, length - _TAIL))
        tail = file.read()
        if image.format == 'PNG':
            file.seek(0)
            is_whole = _PNG_END in tail or _PNG_END in file.read()
            return '' if is_whole else 'without its last chunk'
    if image.format in ('JPEG', 'MPO') and _JPEG_END in tail:
        return ''
    try:
        image.load()
    except Exception as error:
        return str(error)
    return ''


def _read_by_opencv(path: str, length: int) -> ImageFile:
    """Reads a format that Pillow lacks, as MMDetection does."""
    if not length:
        return ImageFile(None, length, 'unreadable-image', 'empty')
    image = cv2.imread(path) if cv2.haveImageReader(path) else None
    if image is None:
        return ImageFile(None, length, 'unreadable-image', 'no image')
    return ImageFile((image.shape[1], image.shape[0]), length)


def _find_missing(names: Sequence[str], folder: str) -> list[bool]:
    """Lists each folder once, which is faster than to ask for each file."""
    there: dict[str, set[str]] = {}
    missing = []
    for name in names:
        subfolder, base = osp.split(name)
        if subfolder not in there:
            there[subfolder] = _list_folder(osp.join(folder, subfolder))
        missing.append(base not in there[subfolder])
    return missing


def _list_folder(path: str) -> set[str]:
    if not osp.isdir(path):
        return set()
    try:
        return set(os.listdir(path))
    except OSError as error:
        raise UserError(f'folder of images {path} cannot be read: {error}') from None


def _hint(data: CocoFile, folder: str, missing: Sequence[int]) -> str:
    for i in missing[:1]:
        name = data.file_names[i]
        if osp.dirname(name) and osp.isfile(osp.join(folder, osp.basename(name))):
            return f': give the folder that {osp.dirname(name)}/ is in'
    return ''


def _add_problem(
    data: CocoFile, findings: Findings, i: int, file: ImageFile, of: int
) -> None:
    name, expected = data.file_names[i], tuple(data.sizes[i])
    if file.problem:
        example = f'{name}: {file.reason}' if file.reason else name
        findings.add(file.problem, [data.image_ids[i]], of, [example])
    elif file.size is not None and file.size != expected:
        width, height = file.size
        in_file = f'{expected[0]:g} x {expected[1]:g}'
        example = f'{name} is {width} x {height}, in the file {in_file}'
        findings.add('size-differs', [data.image_ids[i]], of, [example])
