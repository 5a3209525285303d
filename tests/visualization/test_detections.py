import numpy as np
import pytest
from pycocotools import mask as mask_util

from mmdet_eca.visualization import draw_detections

COLORS = [(200, 0, 0), (0, 0, 200)]  # red and blue
GREY = 90


def found(box, score=0.9, label=0, mask=None):
    result = dict(bboxes=[box], scores=[score], labels=[label])
    if mask is not None:
        rle = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
        result['masks'] = [rle]
    return result


def picture(width, height):
    return np.full((height, width, 3), GREY, np.uint8)


@pytest.mark.parametrize('zoom', [1, 3])
def test_box_and_mask_are_where_they_should_be(zoom):
    side = 480 // zoom
    mask = np.zeros((side, side), bool)
    mask[side // 2 : side * 3 // 4, side // 4 : side // 2] = True
    mask[side * 5 // 8, side * 3 // 8] = False  # a hole of a pixel
    box = [side / 8, side / 4, side * 7 / 8, side * 7 / 8]
    image = picture(side, side)
    drawn = draw_detections(image, found(box, label=1, mask=mask), 'ab', COLORS)
    assert drawn.shape == (480, 480, 3)
    assert tuple(drawn[300, 60]) == tuple(drawn[300, 420]) == (200, 0, 0)  # BGR
    assert tuple(drawn[20, 20]) == tuple(drawn[300, 400]) == (GREY,) * 3
    blended = drawn[260, 140].astype(int)
    assert blended[0] > GREY > blended[2] and blended[0] < 200
    assert (image == GREY).all()


def test_what_is_unsure_is_not_drawn():
    image = picture(500, 500)
    drawn = draw_detections(image, found([9, 9, 99, 99], score=0.2), 'ab', COLORS)
    assert np.array_equal(drawn, image)


@pytest.mark.parametrize('box', [[0, 0, 20, 20], [470, 470, 499, 499]])
def test_names_stay_inside_and_may_be_in_any_alphabet(box):
    image = picture(500, 500)
    name = 'собака'
    drawn = draw_detections(image, found(box), [name], [(250, 250, 250)])
    rows, columns = np.nonzero((drawn < 60).all(-1))  # the text, black on white
    assert len(rows) > 80
    assert columns.max() < 499 and columns.max() - columns.min() > 60


def test_nothing_found():
    nothing = dict(bboxes=[], scores=[], labels=[], masks=[])
    drawn = draw_detections(picture(500, 500), nothing, 'ab', COLORS)
    assert np.array_equal(drawn, picture(500, 500))
