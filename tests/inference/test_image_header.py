"""A header that claims more pixels than its file can have."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmdet_eca.inference.image_header import is_size_credible


@pytest.mark.parametrize(
    ('size', 'more', 'is_credible'),
    [
        ((60, 40), 0, True),
        ((8192, 8192), 0, True),  # 2^26 pixels
        ((8193, 8192), 0, False),
        ((8193, 8192), 2**13, True),  # bytes of a file that could have them
        ((60000, 17000), 0, False),  # which Pillow refuses
        ((60000, 17000), 2**17, True),
    ],
)
def test_pixels_that_a_file_can_have(size, more, is_credible, tmp_path):
    content = bytearray(small_jpeg())
    place = content.index(b'\xff\xc0') + 5  # of height and width
    content[place : place + 4] = struct.pack('>HH', *size[::-1])
    path = tmp_path / 'image.jpg'
    path.write_bytes(content + bytes(more))
    assert is_size_credible(str(path)) == is_credible


def small_jpeg():
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stream, 'JPEG')
    return stream.getvalue()
