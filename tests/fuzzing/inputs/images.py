"""Images that are damaged, or claim to be very large."""

import functools
import struct
import zlib

import cv2
import numpy as np

from .mutations import damaged, write

_ENDS = ('.jpg', '.png', '.bmp', '.webp', '.tif', '.ppm')
_SIDES = (0, 1, 65535, 65500, 100_000, 2**20, 2**31 - 1, 2**32 - 1)


@functools.cache
def _valid(end, progressive=False):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if progressive else []
    return cv2.imencode(end, cv2.resize(pixels, (40, 30)), options)[1].tobytes()


def images(random, folder):
    """An image of any format, damaged."""
    end = random.choice(_ENDS + ('.jpg',) * 4)
    data = _valid(end, end == '.jpg' and random.random() < 0.3)
    if random.random() < 0.95:
        data = damaged(random, data, _MARKERS)
    return write(folder, 'image' + random.choice((end, '.jpg')), data)


_MARKERS = tuple(
    bytes([0xFF, m]) + b'\0\x04ab' for m in (0xC0, 0xC2, 0xC4, 0xDA, 0xDD, 0xE1, 0xFE)
)
_MARKERS += (
    b'\xff\xd9',
    b'\xff\xff',
    b'MPF\0',
    b'\xff\xd8',
    b'\xff\xe1\0\x10Exif\0\0II*\0\x08\0',
)


def large_images(random, folder):
    """Headers that claim up to 2**32 pixels a side."""
    width, height = random.choice(_SIDES), random.choice(_SIDES)
    kind = random.randrange(5)
    if kind == 0:
        data = bytearray(_valid('.jpg', random.random() < 0.5))
        at = next(
            i
            for i in range(2, len(data))
            if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2)
        )
        data[at + 5 : at + 9] = struct.pack('>HH', height % 65536, width % 65536)
        return write(folder, 'image.jpg', bytes(data))
    if kind == 1:
        return write(folder, 'image.png', _png(random, width, height))
    if kind == 2:
        data = bytearray(_valid('.bmp'))
        data[18:26] = struct.pack('<II', width, height)
        return write(folder, 'image.bmp', bytes(data))
    if kind == 3:
        text = f'P{random.choice("2356")}\n{width} {height}\n255\n'
        return write(folder, 'image.ppm', text.encode() + bytes(100))
    data = bytearray(_valid('.tif'))
    at = data.find(struct.pack('<HHI', 256, 4, 1))
    at = at if at > 0 else data.find(struct.pack('<HHI', 256, 3, 1))
    if at > 0:
        data[at + 2 : at + 12] = struct.pack('<HII', 4, 1, width)
    return write(folder, 'image.tif', bytes(data))


def _png(random, width, height):
    """A PNG of that size whose zeros are all there, if they are no more than 300 MB."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', check)

    rows = min((width + 1) * height, random.choice((100, 10**6)))
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(bytes(rows), 1))
        + chunk(b'IEND', b'')
    )
