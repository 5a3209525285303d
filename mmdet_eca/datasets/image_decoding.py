"""Decodes only what a crop needs of an image file."""
import io
from typing import Iterator, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# EXIF's orientation is left alone, as ImageNet's usual readers do: the crop is
# chosen for the size that the header gives.
_MODES = {
    scale: mode | cv2.IMREAD_IGNORE_ORIENTATION
    for scale, mode in ((8, cv2.IMREAD_REDUCED_COLOR_8),
                        (4, cv2.IMREAD_REDUCED_COLOR_4),
                        (2, cv2.IMREAD_REDUCED_COLOR_2), (1, cv2.IMREAD_COLOR))
}

# Markers of JPEG, ITU-T T.81, table B.1.
_SEQUENTIAL = (0xc0, 0xc1)
_FRAMES = (*range(0xc0, 0xc4), *range(0xc5, 0xc8), *range(0xc9, 0xcc),
           *range(0xcd, 0xd0))
_SCAN, _RESTARTS = 0xda, 0xdd


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
    except (OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise CorruptImage(str(error)) from None


def reduction(box: Box, size: int) -> int:
    """How much smaller, 1, 2, 4 or 8, an image may be decoded for a crop of it
    that is not smaller than ``size`` then."""
    side = min(box.height, box.width)
    return next(scale for scale in _MODES if scale == 1 or side >= scale * size)


def decode_crop(file: ImageFile, box: Box, size: int) -> np.ndarray:
    """Decodes a crop of an image and resizes it, bilinearly.

    A JPEG is decoded at a half, a quarter or an eighth of its size where the
    crop is large enough, which skips most of the inverse cosine transforms, and
    no further down than the crop reaches.

    Args:
        file (ImageFile): The image.
        box (Box): The crop.
        size (int): Side of the result in pixels.

    Returns:
        np.ndarray: BGR pixels (size, size, 3) of uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    scale = reduction(box, size)
    # Two more rows: upsampled colors are mixed with those of the next row.
    image = _decode_rows(file, box.top + box.height + 2 * scale, _MODES[scale])
    if image is None:
        image = _decode(file.data, _MODES[scale])
    if image is None:
        raise CorruptImage('it does not decode')
    top, bottom = round(box.top / scale), round((box.top + box.height) / scale)
    left, right = round(box.left / scale), round((box.left + box.width) / scale)
    # An edge may lie in the half pixel that a reduced image lacks.
    top, left = min(top, image.shape[0] - 1), min(left, image.shape[1] - 1)
    crop = image[top:max(bottom, top + 1), left:max(right, left + 1)]
    return cv2.resize(crop, (size, size))


def _decode(data: bytes, mode: int) -> Optional[np.ndarray]:
    return cv2.imdecode(np.frombuffer(data, np.uint8), mode)


def _decode_rows(file: ImageFile, rows: int, mode: int) -> Optional[np.ndarray]:
    """Decodes the first rows of a JPEG, None if it has to be decoded whole.

    OpenCV is given a lower height. What follows the rows then looks like data of
    no use, of which libjpeg warns on finding a marker behind it: the end marker
    is left out, and zeros take its place in the decoder's look-ahead.
    """
    if file.height_at is None or rows >= file.height:
        return None
    start, stop = file.height_at, file.height_at + 2
    return _decode(
        b''.join((file.data[:start], rows.to_bytes(2, 'big'),
                  file.data[stop:file.end], bytes(64))), mode)


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
    height, width = (int.from_bytes(data[at + i:at + i + 2], 'big')
                     for i in (0, 2))
    if not height or not width:
        return None
    # The end marker is the only one behind the header: all components in one
    # scan, no restart markers, one picture (MPF announces more).
    if (frame in _SEQUENTIAL and data[at + 4:at + 5] == data[scan:scan + 1]
            and _RESTARTS not in segments and b'MPF\0' not in data[:scan]):
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
        if marker == 0xff:  # a fill byte
            start += 1
            continue
        yield marker, start + 4
        if marker == _SCAN:
            return
        start += 2 + int.from_bytes(data[start + 2:start + 4], 'big')
