import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_eca import UserError
from mmdet_eca.pretraining import image_decoding
from mmdet_eca.pretraining.image_decoding import (
    Box,
    CorruptImage,
    decode,
    decode_crop,
    read_image,
    resize,
)
from mmdet_eca.pretraining.image_transforms import (
    LoadCenterCrop,
    LoadRandomResizedCrop,
    PackImage,
    RandomMirror,
)


@pytest.fixture
def picture():
    """Smooth colors, (300, 400, 3), which resizing hardly changes."""
    rng = np.random.default_rng(0)
    cells = rng.integers(60, 196, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(cells, (400, 300), interpolation=cv2.INTER_CUBIC)


def save(path, picture, mode='RGB', **options):
    Image.fromarray(picture[..., ::-1]).convert(mode).save(path, **options)
    return str(path)


@pytest.fixture
def detailed():
    """Colors that change from pixel to pixel, (1400, 1500, 3)."""
    rng = np.random.default_rng(0)
    image = np.full((1400, 1500, 3), 127, np.float32)
    for cells, strength in ((6, 40), (100, 20), (700, 20)):
        noise = rng.standard_normal((cells, cells, 3), np.float32)
        image += strength * cv2.resize(
            noise, (1500, 1400), interpolation=cv2.INTER_CUBIC
        )
    return image.clip(0, 255).astype(np.uint8)


def differences(pixels, image):
    """Of BGR pixels from a Pillow image."""
    expected = np.asarray(image)[..., ::-1]
    assert pixels.shape == expected.shape and pixels.dtype == np.uint8
    return np.abs(pixels.astype(int) - expected)


@pytest.mark.parametrize('scale', [0.5, 1, 1.3, 2, 3, 4, 5, 6])
def test_crop_is_cut_out_and_resized_as_by_the_papers_recipe(detailed, tmp_path, scale):
    """Pillow's, as torchvision calls it: to one grey level where the file is decoded
    at its size, and everywhere far from resizing without antialiasing."""
    path = save(tmp_path / 'a.jpg', detailed, quality=90)
    box = Box(36, 50, int(224 * scale), int(200 * scale))
    crop = decode_crop(read_image(path), box, 224)
    with Image.open(path) as image:
        cut = image.crop(
            (box.left, box.top, box.left + box.width, box.top + box.height)
        )
    error = differences(crop, cut.resize((224, 224), Image.BILINEAR))
    if int(200 * scale) < 4 * 224:
        assert error.max() <= 1 and error.mean() < 0.02
    else:
        assert error.max() <= 4 and error.mean() < 1
    if scale >= 2:
        aliased = cv2.resize(np.asarray(cut)[..., ::-1], (224, 224))
        assert np.abs(crop.astype(int) - aliased).mean() > 1


@pytest.mark.parametrize(
    ('height', 'width', 'size', 'shorter_side'),
    [
        (375, 500, 224, 256),
        (1400, 1001, 224, 256),
        (256, 301, 224, 256),
        (90, 77, 224, 256),
        (300, 300, 32, 36),
        (224, 399, 224, 224),
    ],
)
def test_center_crop_is_that_of_the_papers_recipe(
    detailed, tmp_path, height, width, size, shorter_side
):
    """The shorter side to 256, then the middle: Pillow's pixels, to one grey
    level, in torchvision's places."""
    path = save(tmp_path / 'a.png', detailed[:height, :width])
    square = LoadCenterCrop(size, shorter_side)(dict(img_path=path))['img']
    longer = int(shorter_side * max(height, width) / min(height, width))
    wide, high = (longer, shorter_side) if width > height else (shorter_side, longer)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    with Image.open(path) as image:
        expected = image.resize((wide, high), Image.BILINEAR).crop(
            (left, top, left + size, top + size)
        )
    error = differences(square, expected)
    assert error.max() <= 1 and error.mean() < 0.02


def test_center_crop_larger_than_the_image_is_refused():
    with pytest.raises(
        UserError,
        match='shorter_side=200 of LoadCenterCrop must be at least its size=224',
    ):
        LoadCenterCrop(224, 200)


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (9, 1), (2, 40)])
def test_tiny_crops_are_resized_too(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(pixels[..., ::-1])
    error = differences(resize(pixels, 5, 7), image.resize((7, 5), Image.BILINEAR))
    assert error.max() <= 1


@pytest.mark.parametrize('options', [{}, dict(subsampling=0), dict(progressive=True)])
def test_crop_is_the_same_without_simplejpeg(detailed, tmp_path, options, monkeypatch):
    path = save(tmp_path / 'a.jpg', detailed, **options)
    boxes = [Box(33, 77, 200, 300), Box(20, 30, 1010, 1217), Box(0, 0, 1400, 1500)]
    crops = [decode_crop(read_image(path), box, 224) for box in boxes]
    monkeypatch.setattr(image_decoding, 'simplejpeg', None)
    for box, crop in zip(boxes, crops):
        np.testing.assert_array_equal(decode_crop(read_image(path), box, 224), crop)


@pytest.mark.parametrize(
    ('mode', 'options'),
    [
        ('L', dict(format='jpeg')),
        ('CMYK', dict(format='jpeg')),
        ('RGB', dict(format='jpeg', progressive=True)),
        ('P', dict(format='png')),
        ('RGBA', dict(format='png')),
        ('RGB', dict(format='png')),
    ],
)
def test_every_kind_of_image_becomes_bgr(picture, tmp_path, mode, options):
    """As Pillow's conversion; CMYK under the name .jpg is among ImageNet's."""
    path = save(tmp_path / 'image.jpg', picture, mode, **options)
    crop = decode_crop(read_image(path), Box(0, 0, 300, 400), 48)
    with Image.open(path) as image:
        expected = np.asarray(image.convert('RGB').resize((48, 48)))[..., ::-1]
    assert np.abs(crop.astype(float) - expected).mean() < 6


def test_orientation_in_exif_is_left_alone(picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    file = read_image(save(tmp_path / 'a.jpg', picture, exif=exif))
    assert (file.header.height, file.header.width) == (300, 400)
    crop = decode_crop(file, Box(0, 0, 300, 400), 32)
    assert np.abs(crop.astype(float) - cv2.resize(picture, (32, 32))).mean() < 8


@pytest.mark.parametrize('with_simplejpeg', [True, False])
@pytest.mark.parametrize(
    ('format', 'options'), [('jpeg', {}), ('jpeg', dict(progressive=True)), ('png', {})]
)
def test_truncated_image_is_corrupt(
    detailed, tmp_path, monkeypatch, with_simplejpeg, format, options
):
    """Its thumbnail has an end; libjpeg would fill the rest with grey and warn."""
    if not with_simplejpeg:
        monkeypatch.setattr(image_decoding, 'simplejpeg', None)
    thumbnail = io.BytesIO()
    Image.fromarray(detailed[:60, :80]).save(thumbnail, 'jpeg')
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0' + thumbnail.getvalue()
    path = tmp_path / 'a.jpg'
    save(path, detailed[:300, :400], format=format, exif=exif, **options)
    whole = path.read_bytes()
    path.write_bytes(whole + 5000 * b'\0')  # something behind the end
    decode(read_image(str(path)))
    for kept in (0.3, 0.9, 0.999):
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(CorruptImage, match='does not decode'):
            decode(read_image(str(path)))


def test_what_is_no_image_is_corrupt(tmp_path):
    path = tmp_path / 'a.jpg'
    for content in (b'Not found, see the other page.', b'', b'\x89PNG\r\n\x1a\n\0'):
        path.write_bytes(content)
        with pytest.raises(CorruptImage):
            read_image(str(path))
    path.unlink()
    os.mkfifo(path)
    for place in (path, tmp_path, tmp_path / 'none'):
        with pytest.raises(CorruptImage, match='no such file'):
            read_image(str(place))


def test_an_image_of_too_many_pixels_is_corrupt(picture, tmp_path):
    save(tmp_path / 'a.jpg', picture)
    data = bytearray((tmp_path / 'a.jpg').read_bytes())
    frame = data.index(b'\xff\xc0')
    data[frame + 5 : frame + 9] = 4 * b'\xff'  # height and width
    (tmp_path / 'a.jpg').write_bytes(data)
    with pytest.raises(CorruptImage, match='exceeds limit'):
        read_image(str(tmp_path / 'a.jpg'))


def test_random_crops_have_the_area_and_aspect_ratio_of_the_paper():
    np.random.seed(0)
    transform = LoadRandomResizedCrop(224)
    boxes = np.array([transform.choose(375, 500) for _ in range(4000)])
    top, left, height, width = boxes.T
    assert top.min() == left.min() == 0
    assert (top + height).max() == 375 and (left + width).max() == 500
    area, ratio = height * width / (375 * 500), width / height
    assert 0.079 < area.min() < 0.09 and 0.95 < area.max() <= 1
    assert 0.74 < ratio.min() < 0.76 and 1.32 < ratio.max() < 1.35
    # Uniform below the area at which crops of some ratio do not fit.
    small = area[area < 0.5]
    assert abs(np.median(small) - 0.29) < 0.02
    assert abs(np.median(np.log(ratio[area < 0.5]))) < 0.02


def test_random_crop_of_a_strip_is_its_middle():
    assert LoadRandomResizedCrop(8).choose(10, 1000) == Box(0, 493, 10, 13)
    assert LoadRandomResizedCrop(8).choose(1000, 10) == Box(493, 0, 13, 10)


def test_mirror_and_pack():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    results = RandomMirror(1)(dict(img=image, gt_label=3, img_path='a.jpg'))
    packed = PackImage()(results)
    np.testing.assert_array_equal(packed['inputs'], image[:, ::-1])
    assert packed['data_samples'] == 3 and packed['img_path'] == 'a.jpg'
    kept = RandomMirror(0)(dict(img=image))['img']
    np.testing.assert_array_equal(kept, image)
