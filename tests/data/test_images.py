"""Images that MMDetection's reader reads, and those it does not."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_eca.data.images import build_reader, read_image_file, read_image_files

FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF')


def encoded(kind, size=(60, 40), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def read(folder, content):
    path = folder / 'image'
    path.write_bytes(content)
    return read_image_file(str(path), build_reader())


@pytest.mark.parametrize('kind', FORMATS)
def test_a_whole_image(kind, tmp_path):
    content = encoded(kind)
    assert read(tmp_path, content) == ((60, 40), len(content), '', '', None)


@pytest.mark.parametrize('kind', FORMATS)
def test_an_image_that_is_cut_off(kind, tmp_path):
    """At any byte: an error, as OpenCV refuses it."""
    content = encoded(kind, (160, 120))
    for length in (*range(len(content) // 4, len(content), 997), len(content) - 1):
        problem = read(tmp_path, content[:length]).problem
        assert problem in ('truncated-image', 'unreadable-image')
        assert kind == 'WEBP' or problem == 'truncated-image'
        assert cv2.imdecode(np.fromfile(tmp_path / 'image', np.uint8), 1) is None
    for length in (1, 4, 20):
        assert read(tmp_path, content[:length]).problem == 'unreadable-image'


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


@pytest.mark.parametrize(
    ('kind', 'mode', 'dtype'), [('TIFF', 'F', np.float32), ('TGA', 'L', np.uint8)]
)
def test_a_format_that_pillow_alone_reads_is_named(kind, mode, dtype, tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.zeros((40, 60), dtype)).save(stream, kind)
    file = read(tmp_path, stream.getvalue())
    assert file.problem == 'unreadable-image'
    assert kind in file.reason and f'type {mode}' in file.reason


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
@pytest.mark.parametrize(
    ('dtype', 'most', 'peak'),
    [(np.uint8, 255, None), (np.uint16, 4095, 15), (np.uint16, 65535, 255)],
)
def test_what_is_left_of_more_than_8_bits(suffix, dtype, most, peak, tmp_path):
    path = str(tmp_path / f'image{suffix}')
    pixels = np.zeros((40, 60, 3), dtype)
    pixels[3, 4] = most
    cv2.imwrite(path, pixels)
    found = read_image_file(path, build_reader()).peak
    assert found == (peak and pytest.approx(peak, abs=1))
    # A reader that keeps all bits loses none.
    keeps = build_reader([dict(type='LoadImageFromFile', color_type='unchanged')])
    assert read_image_file(path, keeps).peak is None


def test_images_are_read_in_their_order(tmp_path):
    paths = []
    for i in range(5):
        paths.append(str(tmp_path / f'{i}.png'))
        (tmp_path / f'{i}.png').write_bytes(encoded('PNG', (10 + i, 20)))
    files = read_image_files(paths, build_reader())
    assert [file.size for file in files] == [(10 + i, 20) for i in range(5)]
