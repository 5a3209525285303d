import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_eca import UserError
from mmdet_eca.pretraining.image_decoding import (
    Box,
    CorruptImage,
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
    """Pillow's, as torchvision calls it: to one grey level, and where a crop
    shrinks far from resizing without antialiasing."""
    path = save(tmp_path / 'a.jpg', detailed, quality=90)
    box = Box(37, 50, int(224 * scale), int(200 * scale))
    crop = decode_crop(read_image(path), box, 224)
    with Image.open(path) as image:
        cut = image.crop(
            (box.left, box.top, box.left + box.width, box.top + box.height)
        )
    error = differences(crop, cut.resize((224, 224), Image.BILINEAR))
    assert error.max() <= 1 and error.mean() < 0.02
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


@pytest.mark.parametrize('subsampling', [0, 1, 2])
@pytest.mark.parametrize('shape', [(300, 400), (41, 33), (200, 16)])
def test_crop_of_the_first_rows_is_that_of_all(tmp_path, capfd, subsampling, shape):
    """To the last bit, for any crop, and libjpeg warns of nothing."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    file = read_image(save(tmp_path / 'a.jpg', noise, subsampling=subsampling))
    assert file.height_at is not None
    for _ in range(40):
        height, width = (int(rng.integers(1, side)) for side in shape)
        box = Box(
            int(rng.integers(shape[0] - height)),
            int(rng.integers(shape[1] - width)),
            height,
            width,
        )
        np.testing.assert_array_equal(
            decode_crop(file, box, 16),
            decode_crop(file._replace(height_at=None), box, 16),
        )
    assert capfd.readouterr().err == ''


def test_rows_below_the_crop_are_not_decoded(picture, tmp_path, monkeypatch):
    file = read_image(save(tmp_path / 'a.jpg', picture))
    decode, shapes = cv2.imdecode, []

    def remember(data, mode):
        image = decode(data, mode)
        shapes.append(image.shape)
        return image

    monkeypatch.setattr(cv2, 'imdecode', remember)
    decode_crop(file, Box(10, 0, 50, 60), 32)
    decode_crop(file, Box(0, 0, 300, 400), 200)
    assert shapes == [(62, 400, 3), (300, 400, 3)]


@pytest.mark.parametrize(
    'options',
    [
        dict(progressive=True),
        dict(restart_marker_rows=1),
        dict(comment=b'MPF\0: more pictures'),
    ],
)
def test_other_jpegs_are_decoded_whole(picture, tmp_path, capfd, options):
    file = read_image(save(tmp_path / 'a.jpg', picture, **options))
    assert file.height_at is None
    crop = decode_crop(file, Box(0, 0, 100, 400), 32)
    assert np.abs(crop.astype(float) - cv2.resize(picture[:100], (32, 32))).mean() < 12
    assert capfd.readouterr().err == ''


def test_decoder_that_refuses_rows_gets_the_whole(picture, tmp_path, monkeypatch):
    file = read_image(save(tmp_path / 'a.jpg', picture))
    box = Box(0, 0, 100, 400)
    expected = decode_crop(file, box, 32)
    decode = cv2.imdecode
    monkeypatch.setattr(
        cv2,
        'imdecode',
        lambda data, mode: (
            decode(data, mode) if data[-2:].tobytes() == b'\xff\xd9' else None
        ),
    )
    np.testing.assert_array_equal(decode_crop(file, box, 32), expected)


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
    assert (file.height, file.width) == (300, 400)
    crop = decode_crop(file, Box(0, 0, 300, 400), 32)
    assert np.abs(crop.astype(float) - cv2.resize(picture, (32, 32))).mean() < 8


@pytest.mark.parametrize('kept', [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize('progressive', [False, True])
def test_truncated_jpeg_is_corrupt(picture, tmp_path, kept, progressive):
    path = save(tmp_path / 'a.jpg', picture, progressive=progressive)
    with open(path, 'r+b') as file:
        file.truncate(int(kept * len(file.read())))
    with pytest.raises(CorruptImage, match='truncated'):
        read_image(path)


def test_truncation_is_seen_past_a_thumbnail_with_an_end(picture, tmp_path):
    thumbnail = io.BytesIO()
    Image.fromarray(picture[:60, :80]).save(thumbnail, 'jpeg')
    path = tmp_path / 'a.jpg'
    save(
        path,
        picture,
        exif=b'Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0' + thumbnail.getvalue(),
    )
    whole = path.read_bytes()
    read_image(path)
    path.write_bytes(whole + 5000 * b'\0')  # something behind the end
    read_image(path)
    path.write_bytes(whole[:-100])
    with pytest.raises(CorruptImage, match='truncated'):
        read_image(path)


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'Not found, see the other page.', 'not an image'),
        (b'', 'empty'),
        (b'\x89PNG\r\n\x1a\n' + 40 * b'\0', '.'),
    ],
)
def test_what_is_no_image_is_corrupt(tmp_path, content, reason):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    with pytest.raises(CorruptImage, match=reason):
        read_image(path)


def test_half_a_png_is_corrupt(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / 'a.png'
    save(path, rng.integers(0, 256, (60, 60, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:5000])
    file = read_image(path)
    with pytest.raises(CorruptImage, match='does not decode'):
        decode_crop(file, Box(0, 0, 60, 60), 16)


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
