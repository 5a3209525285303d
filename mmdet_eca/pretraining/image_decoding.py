"""Decodes only what a crop needs of an image file."""

import io
from typing import Iterator, NamedTuple, Optional, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

# Markers of JPEG, ITU-T T.81, table B.1.
_SEQUENTIAL = (0xC0, 0xC1)
_FRAMES = (
    *range(0xC0, 0xC4),
    *range(0xC5, 0xC8),
    *range(0xC9, 0xCC),
    *range(0xCD, 0xD0),
)
_SCAN, _RESTARTS = 0xDA, 0xDD


class CorruptImage(Exception):
    """An image file that cannot be read; the message is the reason."""


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its upper left corner."""

    top: int
    left: int
    height: int
    width: int


class ImageFile(NamedTuple):
    """An image file that is not decoded yet.

    Attributes:
        data (bytes): The file.
        height (int): Of the image, in pixels.
        width (int): Of the image, in pixels.
        height_at (int, optional): Where a JPEG whose first rows can be decoded
            alone has its height.
        end (int, optional): Where such a JPEG has its end marker.
    """

    data: bytes
    height: int
    width: int
    height_at: Optional[int] = None
    end: Optional[int] = None


def read_image(path: str) -> ImageFile:
    """Reads an image file without decoding it.

    Raises:
        CorruptImage: If it is no image, or a JPEG that ends too early.
    """
    try:
        with open(path, 'rb') as file:
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


def decode_crop(file: ImageFile, box: Box, size: int) -> np.ndarray:
    """Decodes a crop of an image, no further down than it reaches, and resizes it
    as :func:`resize` does.

    Args:
        file (ImageFile): The image.
        box (Box): The crop.
        size (int): Side of the result in pixels.

    Returns:
        np.ndarray: BGR pixels (size, size, 3) of uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    bottom, right = box.top + box.height, box.left + box.width
    # Two more rows: upsampled colors are mixed with those of the next row.
    image = _decode_rows(file, bottom + 2)
    if image is None:
        image = decode(file)
    return resize(image[box.top : bottom, box.left : right], size, size)


def decode(file: ImageFile) -> np.ndarray:
    """Decodes a whole image into BGR pixels (H, W, 3) of uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    image = _decode(file.data)
    if image is None:
        raise CorruptImage('it does not decode')
    return image


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image bilinearly, with antialiasing where it becomes smaller.

    This is Pillow's ``resize(..., BILINEAR)`` to one grey level, and with it
    torchvision's, by which the paper's networks were trained. PyTorch computes
    it several times faster. OpenCV's bilinear resizing has no antialiasing, its
    resizing by area another filter.

    Args:
        image (np.ndarray): Pixels (H, W, C) of uint8.
        height (int): Of the result, in pixels.
        width (int): Of the result, in pixels.

    Returns:
        np.ndarray: Pixels (height, width, C) of uint8.
    """
    channels_first = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = F.interpolate(
        channels_first, (height, width), mode='bilinear', antialias=True
    )
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


def _decode(data: bytes) -> Optional[np.ndarray]:
    # EXIF's orientation is left alone, as ImageNet's usual readers do: the crop is
    # chosen for the size that the header gives.
    return cv2.imdecode(
        np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )


def _decode_rows(file: ImageFile, rows: int) -> Optional[np.ndarray]:
    """Decodes the first rows of a JPEG, None if it has to be decoded whole.

    OpenCV is given a lower height. What follows the rows then looks like data of
    no use, of which libjpeg warns on finding a marker behind it: the end marker
    is left out, and zeros take its place in the decoder's look-ahead.
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


def _read_jpeg(data: bytes) -> Optional[ImageFile]:
    """A JPEG as the segments before its pixels describe it, None if they lack its
    size.

    Pillow gives the size in ten times the time, a thirtieth of a decoding.

    Raises:
        CorruptImage: If the JPEG ends before its end marker; libjpeg fills the
            missing rows with grey and only warns.
    """
    segments = dict(_segments(data))
    frame = next((m for m in segments if m in _FRAMES), None)
    scan = segments[_SCAN]
    end = data.rfind(b'\xff\xd9', scan)
    if end < 0:
        raise CorruptImage('a truncated JPEG')
    if frame is None:
        return None
    at = segments[frame] + 1  # behind the bits a sample
    height, width = (int.from_bytes(data[at + i : at + i + 2], 'big') for i in (0, 2))
    if not height or not width:
        return None
    # The end marker is the only one behind the header: all components in one
    # scan, no restart markers, one picture (MPF announces more).
    if (
        frame in _SEQUENTIAL
        and data[at + 4 : at + 5] == data[scan : scan + 1]
        and _RESTARTS not in segments
        and b'MPF\0' not in data[:scan]
    ):
        return ImageFile(data, height, width, at, end)
    return ImageFile(data, height, width)


def _segments(data: bytes) -> Iterator[Tuple[int, int]]:
    """Marker and start of every segment of a JPEG up to its first pixels."""
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
