"""Polygons and RLE, against pycocotools."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec import Raw
from pycocotools import mask as mask_utils

from mmdet_eca.data.coco_file import decode_counts, measure_mask

SIDES = st.integers(1, 60)


def measured(segmentation):
    area, form, _ = measure_mask(Raw(json.dumps(segmentation).encode()))
    return area, form


def pixels(runs, height, width):
    """The mask, column by column, that runs of background and object make."""
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 60)] * 2), elements=st.integers(0, 1))
)
def test_compressed_rle_is_what_pycocotools_encodes(mask):
    encoded = mask_utils.encode(np.asfortranarray(mask))
    text, size = encoded['counts'].decode(), list(mask.shape)
    assert np.array_equal(pixels(decode_counts(text), *mask.shape), mask)
    assert measured(dict(counts=text, size=size)) == (mask_utils.area(encoded), 'rle')
    assert measured(dict(counts=text[:-1], size=size))[1] == 'rle-does-not-fit'


@pytest.mark.parametrize(
    'counts', [[0, 40_000_000], [10**8, 3, 10**8, 1, 7, 5], [5] * 9, [1, 2**30]]
)
def test_numbers_of_several_characters_and_differences_below_0(counts):
    size = [sum(counts), 1]
    encoded = mask_utils.frPyObjects(dict(counts=counts, size=size), *size)
    assert decode_counts(encoded['counts'].decode()) == counts


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec='ascii') | st.sampled_from('0P`o'), max_size=40))
def test_any_text_is_read_or_refused(text):
    """What is read is safe for pycocotools, which checks nothing itself."""
    try:
        runs = decode_counts(text)
    except ValueError:
        return
    size = sum(runs)
    if runs and min(runs) >= 0 and 0 < size < 10**6:
        decoded = mask_utils.decode(dict(counts=text.encode(), size=[size, 1]))
        assert np.array_equal(decoded, pixels(runs, size, 1))


WHOLE = [0, 0, 10, 0, 10, 10]


@pytest.mark.parametrize(
    ('form', 'segmentation'),
    [
        ('', None),
        ('', []),
        ('', {}),
        ('rle-does-not-fit', dict(counts=[10, 5], size=[4, 4])),
        ('rle-does-not-fit', dict(counts=[20, -4], size=[4, 4])),
        ('rle-does-not-fit', dict(counts=[10.5, 5.5], size=[4, 4])),
        ('rle-does-not-fit', dict(counts=['16'], size=[4, 4])),
        ('rle-does-not-fit', dict(counts=[16], size=[4])),
        ('rle-does-not-fit', dict(counts=[10**30], size=[10**15, 10**15])),
        ('rle-does-not-fit', dict(counts=[], size=[4, 4])),
        ('rle-does-not-fit', dict(counts='', size=[0, 0])),
        ('rle-does-not-fit', dict(counts='é', size=[1, 1])),
        ('rle-does-not-fit', dict(counts='o' * 10_000, size=[1, 1])),
        ('rle-does-not-fit', dict(counts=[1])),
        ('unknown-mask', WHOLE),
        ('unknown-mask', [['1', '2', '3', '4', '5', '6']]),
        ('unknown-mask', [[[0, 0], [10, 0], [10, 10]]]),
        ('unknown-mask', [[1, 2, 3, 4, 5, None]]),
        ('unknown-mask', [dict(counts=[1], size=[1, 1])]),
        ('unknown-mask', 'a mask'),
        ('short-polygon', [WHOLE, [1, 2, 3, 4]]),
        ('short-polygon', [[*WHOLE, 5]]),
        ('short-polygon', [[]]),
    ],
)
def test_what_cannot_be_measured(form, segmentation):
    area, found = measured(segmentation)
    assert np.isnan(area) and found == form


def test_areas_are_those_of_pycocotools_but_for_the_edges():
    rng = np.random.default_rng(0)
    for _ in range(40):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(8, 30)))
        radius = rng.uniform(10, 40)
        points = radius * np.stack([np.cos(angles), np.sin(angles)], 1) + 50
        polygon = points.ravel().tolist()
        edges = np.abs(np.diff(points, axis=0)).sum()
        (rle,) = mask_utils.frPyObjects([polygon], 100, 100)
        area, form = measured([polygon])
        assert form == 'polygons'
        assert abs(area - mask_utils.area(rle)) <= edges / 2 + 4
    assert measured([WHOLE, WHOLE]) == (100, 'polygons')
