"""Image files that are whole, and that are not."""

import io
import struct

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmdet_eca.datasets import image_files, is_size_credible, read_image_file
from mmdet_eca.datasets.image_files import read_image_files

FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF')


def encoded(kind, size=(60, 40), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def read(folder, content):
    path = folder / 'image'
    path.write_bytes(content)
    return read_image_file(str(path))


@pytest.mark.parametrize('kind', FORMATS)
def test_a_whole_image(kind, tmp_path):
    content = encoded(kind)
    assert read(tmp_path, content) == ((60, 40), len(content), '', '')


@pytest.mark.parametrize('kind', FORMATS)
def test_an_image_that_is_cut_off(kind, tmp_path):
    content = encoded(kind, (160, 120))
    for length in (*range(len(content) // 4, len(content), 997), len(content) - 1):
        cut = read(tmp_path, content[:length])
        if kind == 'WEBP':
            assert cut.problem == 'unreadable-image'
        else:
            assert cut.problem == 'truncated-image', length
    for length in (1, 4, 20):
        assert read(tmp_path, content[:length]).problem == 'unreadable-image'


@pytest.mark.parametrize('missing', [1, 1000])
def test_mmdetection_stops_at_a_jpeg_that_is_cut_off(missing, tmp_path):
    """Although other programs show it: a training would fail within an epoch."""
    path = tmp_path / '1.jpg'
    path.write_bytes(encoded('JPEG', (160, 120))[:-missing])
    assert cv2.imread(str(path)).shape == (120, 160, 3)
    with pytest.raises(AssertionError, match='failed to load image'):
        LoadImageFromFile()(dict(img_path=str(path)))


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
@pytest.mark.parametrize('more', [b'\0' * 3, b'\0' * 1000, b'text' * 500])
def test_bytes_behind_the_end_are_no_mistake(kind, more, tmp_path):
    assert read(tmp_path, encoded(kind) + more).problem == ''


@pytest.mark.parametrize('orientation', range(1, 9))
def test_sizes_are_those_that_opencv_gives(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    size = read(tmp_path, encoded('JPEG', exif=exif)).size
    assert cv2.imread(str(tmp_path / 'image')).shape[:2] == size[::-1]


@pytest.mark.parametrize('content', [b'', b'no image', b'\xff\xd8\xff', b'GIF89a'])
def test_what_is_no_image(content, tmp_path):
    assert read(tmp_path, content).problem == 'unreadable-image'
    assert read_image_file(str(tmp_path)).problem == 'unreadable-image'


def test_an_image_too_large_for_pillow_but_not_for_opencv(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    assert read(tmp_path, encoded('PNG')).problem == ''


def test_many_images_are_read_in_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, '_IN_PROCESSES', 1)
    monkeypatch.setattr(image_files.os, 'sched_getaffinity', lambda _: {0, 1})
    paths = []
    for i in range(5):
        paths.append(str(tmp_path / f'{i}.png'))
        (tmp_path / f'{i}.png').write_bytes(encoded('PNG', (10 + i, 20)))
    assert [file.size for file in read_image_files(paths)] == [
        (10 + i, 20) for i in range(5)
    ]


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
    content = bytearray(encoded('JPEG', (8, 8)))
    place = content.index(b'\xff\xc0') + 5  # of height and width
    content[place : place + 4] = struct.pack('>HH', *size[::-1])
    path = tmp_path / 'image.jpg'
    path.write_bytes(content + bytes(more))
    assert is_size_credible(str(path)) == is_credible
