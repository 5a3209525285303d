"""Slices, by sahi: small objects are found, and those at a border once."""

import sys

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_util

from mmdet_eca import UserError
from mmdet_eca.inference import predict
from tests.inference.blobs import draw, write_detector
from tests.inference.test_predict import read

SIZE = (300, 200)
# Slices of 100 with an overlap of 20 begin at 0, 80, 160 and so on.
SMALL = (30, 30, 12, 10)
AT_A_BORDER = (90, 130, 14, 40)  # 10 pixels of it in the first slice, 14 in the next
LARGE = (150, 20, 130, 160)  # in no slice whole


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'image.png'
    rectangles = [('red', *box) for box in (SMALL, AT_A_BORDER, LARGE)]
    cv2.imwrite(str(path), draw(SIZE, *rectangles))
    return str(path)


def boxes(out):
    return sorted(tuple(found['bbox']) for found in read(out / 'predictions.json'))


def test_the_detector_alone_misses_the_small_one(image, tmp_path):
    detector = write_detector(tmp_path, least=0.1)
    predict(*detector, image, str(tmp_path / 'whole'))
    assert boxes(tmp_path / 'whole') == [AT_A_BORDER, LARGE]


@pytest.mark.parametrize('batch_size', [1, 5])
def test_slices_find_all_and_each_once(image, tmp_path, batch_size):
    detector = write_detector(tmp_path, least=0.1)
    out = tmp_path / 'out'
    predict(*detector, image, str(out), batch_size=batch_size, slices=100)
    assert boxes(out) == [SMALL, AT_A_BORDER, LARGE]
    for found in read(out / 'predictions.json'):
        assert found['segmentation']['size'] == [SIZE[1], SIZE[0]]
        x, y, w, h = map(int, found['bbox'])
        mask = np.zeros(SIZE[::-1], np.uint8)
        mask[y : y + h, x : x + w] = 1
        assert np.array_equal(mask_util.decode(found['segmentation']), mask)


def test_an_image_smaller_than_a_slice(tmp_path):
    cv2.imwrite(str(tmp_path / 'image.png'), draw((60, 40), ('red', 5, 5, 20, 20)))
    out = tmp_path / 'out'
    predict(*write_detector(tmp_path), str(tmp_path / 'image.png'), str(out), slices=64)
    assert boxes(out) == [(5, 5, 20, 20)]


def test_unsure_detections_are_left_out_before_the_merging(tmp_path):
    image = draw((60, 40), ('green', 5, 5, 20, 20))  # a score of 0.2
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    for score, expected in ((0.1, 1), (0.3, 0)):
        out = tmp_path / f'{score}'
        predict(
            *write_detector(tmp_path),
            str(tmp_path / 'image.png'),
            str(out),
            score=score,
            slices=64,
        )
        assert len(boxes(out)) == expected


def test_without_sahi_the_remedy_is_named(image, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split('.')[0] == 'sahi']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'sahi', None)
    with pytest.raises(UserError, match=r'mmdet_eca\[slices\]'):
        predict('a.py', 'b.pth', image, str(tmp_path / 'out'), slices=64)
    assert not (tmp_path / 'out').exists()
