"""Decodes only those rows of an image file that a crop needs.

OpenCV and Pillow decode whole images only; neither offers libjpeg-turbo's function
that stops after some rows.
"""

import io
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

# JPEG's markers, from ITU-T T.81, table B.1.
_SEQUENTIAL = (0xC0, 0xC1)
_FRAMES = (
    *range(0xC0, 0xC4),
    *range(0xC5, 0xC8),
    *range(0xC9, 0xCC),
    *range(0xCD, 0xD0),
)
_SCAN, _RESTARTS = 0xDA, 0xDD
_LARGEST = 2**31  # bytes that OpenCV decodes


class CorruptImage(Exception):
    """Raised for an image file that cannot be read; the message says why."""


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its upper left corner."""

    top: int
    left: int
    height: int
    width: int


class ImageFile(NamedTuple):
    """An image file that is not decoded yet.

    The last two attributes are None unless the file is a JPEG whose first rows can
    be decoded alone.

    Attributes:
        data (bytes): The content of the file.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.
        height_at (int, optional): Position of the image's height in ``data``.
        end (int, optional): Position of the end marker in ``data``.
    """

    data: bytes
    height: int
    width: int
    height_at: int | None = None
    end: int | None = None


def read_image(path: str) -> ImageFile:
    """Reads an image file without decoding it.

    Raises:
        CorruptImage: If it is no image, or a JPEG without its end.
    """
    try:
        with open(path, 'rb', opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                raise CorruptImage('no file, or one of more than 2 GiB')
            data = file.read()
    except OSError as error:
        raise CorruptImage(error.strerror) from None
    jpeg = _read_jpeg(data) if data.startswith(b'\xff\xd8\xff') else None
    if jpeg is not None:
        return jpeg
    try:
        with Image.open(io.BytesIO(data)) as image:
            return ImageFile(data, image.height, image.width)
    except UnidentifiedImageError:
        raise CorruptImage('not an image' if data else 'empty') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptImage(str(error)) from None


def _open_at_once(path: str, flags: int) -> int:
    """Opens a file, and a pipe without waiting for somebody who writes."""
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def decode_crop(file: ImageFile, box: Box, size: int) -> np.ndarray:
    """Decodes a crop of an image and resizes it as :func:`resize` does.

    Rows below the crop are not decoded if the file allows it.

    Args:
        file (ImageFile): The image.
        box (Box): The crop.
        size (int): Side of the result in pixels.

    Returns:
        np.ndarray: BGR pixels, shape (size, size, 3), uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    bottom, right = box.top + box.height, box.left + box.width
    # Two more rows, since JPEG's upsampled colors depend on the row below.
    image = _decode_rows(file, bottom + 2)
    if image is None:
        image = decode(file)
    return resize(image[box.top : bottom, box.left : right], size, size)


def decode(file: ImageFile) -> np.ndarray:
    """Decodes a whole image into BGR pixels, shape (H, W, 3), uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    image = _decode(file.data)
    if image is None:
        raise CorruptImage('it does not decode')
    return image


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image bilinearly, with antialiasing where it becomes smaller.

    The result is that of Pillow's ``resize(..., BILINEAR)`` to one grey level, and
    so of torchvision, with which the paper's networks were trained; torch computes
    it several times faster than Pillow. OpenCV's bilinear resizing does not
    antialias, and its resizing by area is another filter.

    Args:
        image (np.ndarray): Pixels, shape (H, W, C), uint8.
        height (int): Height of the result in pixels.
        width (int): Width of the result in pixels.

    Returns:
        np.ndarray: Pixels, shape (height, width, C), uint8.
    """
    channels_first = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = F.interpolate(
        channels_first, (height, width), mode='bilinear', antialias=True
    )
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


def _decode(data: bytes) -> np.ndarray | None:
    # EXIF's orientation is ignored, as ImageNet's usual readers do: the crop is
    # chosen for the size in the header.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # of a size beyond its limit
        raise CorruptImage(f'OpenCV: {error.err}') from None


def _decode_rows(file: ImageFile, rows: int) -> np.ndarray | None:
    """Decodes the first rows of a JPEG; returns None if it has to be decoded whole.

    OpenCV is given the file with a lower height in its header. libjpeg ignores the
    data after the last row, but warns if it finds a marker behind them; so the end
    marker is left out, and zeros fill the decoder's look-ahead.
    """
    if file.height_at is None or rows >= file.height:
        return None
    start, stop = file.height_at, file.height_at + 2
    return _decode(
        b''.join(
            (
                file.data[:start],
                rows.to_bytes(2, 'big'),
                file.data[stop : file.end],
                bytes(64),
            )
        )
    )


def _read_jpeg(data: bytes) -> ImageFile | None:
    """Reads the header of a JPEG; returns None if the image's size is not in it.

    Pillow takes ten times as long for the size, a thirtieth of a decoding.

    Raises:
        CorruptImage: If the JPEG has no end marker; libjpeg would fill the missing
            rows with grey and only warn.
    """
    segments = dict(_segments(data))
    frame = next((m for m in segments if m in _FRAMES), None)
    scan = segments[_SCAN]
    end = data.rfind(b'\xff\xd9', scan)
    if end < 0:
        raise CorruptImage('a truncated JPEG')
    if frame is None:
        return None
    at = segments[frame] + 1  # after the number of bits
    height, width = (int.from_bytes(data[at + i : at + i + 2], 'big') for i in (0, 2))
    if not height or not width:
        return None
    # The end marker must be the only one after the header: all components in one
    # scan, no restart markers, a single picture (MPF announces several).
    if (
        frame in _SEQUENTIAL
        and data[at + 4 : at + 5] == data[scan : scan + 1]
        and _RESTARTS not in segments
        and b'MPF\0' not in data[:scan]
    ):
        return ImageFile(data, height, width, at, end)
    return ImageFile(data, height, width)


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields marker and start of each segment of a JPEG up to its first pixels."""
    start = 2
    while True:
        start = data.find(b'\xff', start)
        if start < 0 or start + 4 > len(data):
            raise CorruptImage('a truncated JPEG')
        marker = data[start + 1]
        if marker == 0xFF:  # a fill byte
            start += 1
            continue
        yield marker, start + 4
        if marker == _SCAN:
            return
        start += 2 + int.from_bytes(data[start + 2 : start + 4], 'big')
