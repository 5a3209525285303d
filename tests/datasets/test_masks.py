"""Polygons and RLE, against pycocotools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as pycocotools_mask

from mmdet_eca.datasets import decode_counts
from mmdet_eca.datasets.masks import Masks

SHAPES = st.tuples(st.integers(1, 60), st.integers(1, 60))


def masks_of(*segmentations):
    masks = Masks()
    for segmentation in segmentations:
        masks.add(segmentation)
    return masks, masks.areas()


def pixels(runs, height, width):
    """The mask, column by column, that runs of background and object make."""
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 60)] * 2), elements=st.integers(0, 1))
)
def test_compressed_rle_is_what_pycocotools_encodes(mask):
    encoded = pycocotools_mask.encode(np.asfortranarray(mask))
    text = encoded['counts'].decode()
    runs = decode_counts(text)
    assert np.array_equal(pixels(runs, *mask.shape), mask)
    masks, areas = masks_of(dict(counts=text, size=list(mask.shape)))
    assert areas[0] == pycocotools_mask.area(encoded) and not masks.damaged
    masks, _ = masks_of(dict(counts=text[:-1], size=list(mask.shape)))
    assert masks.damaged == [0]


def test_long_runs():
    """Numbers of several characters, and differences below 0."""
    for counts in ([0, 40_000_000], [10**8, 3, 10**8, 1, 7, 5], [5] * 9, [1, 2**30]):
        size = [sum(counts), 1]
        encoded = pycocotools_mask.frPyObjects(dict(counts=counts, size=size), *size)
        assert decode_counts(encoded['counts'].decode()).tolist() == counts


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec='ascii') | st.sampled_from('0P`o'), max_size=40))
def test_any_text_is_read_or_refused(text):
    """What is read is safe for pycocotools, which checks nothing itself."""
    runs = decode_counts(text)
    if runs is None:
        return
    assert (runs >= 0).all() and runs.dtype == np.int64
    size = int(runs.sum())
    if 0 < size < 10**6:
        decoded = pycocotools_mask.decode(dict(counts=text.encode(), size=[size, 1]))
        assert np.array_equal(decoded, pixels(runs, size, 1))


@pytest.mark.parametrize(
    'segmentation',
    [
        dict(counts=[10, 5], size=[4, 4]),
        dict(counts=[20, -4], size=[4, 4]),
        dict(counts=[10.5, 5.5], size=[4, 4]),
        dict(counts=[[16]], size=[4, 4]),
        dict(counts=[16, [1]], size=[4, 4]),
        dict(counts=['16'], size=[4, 4]),
        dict(counts=[16], size=[4]),
        dict(counts=[16], size=['x', 4]),
        dict(counts=[10**30], size=[10**15, 10**15]),
        dict(counts=[], size=[4, 4]),
        dict(counts='', size=[0, 0]),
        dict(counts='é', size=[1, 1]),
        dict(counts='~', size=[1, 1]),
        dict(counts='o' * 10_000, size=[1, 1]),
        dict(counts='oooooooooooooooooooo0', size=[1, 1]),
    ],
)
def test_rle_that_does_not_fit(segmentation):
    masks, areas = masks_of(segmentation)
    assert masks.damaged == [0] and np.isnan(areas[0])


@pytest.mark.parametrize(
    'segmentation',
    [
        [1, 2, 3, 4, 5, 6],  # not in a list of polygons
        [['1', '2', '3', '4', '5', '6']],
        [[1, 2, 3, 4, 5, None]],
        [[1, 2, 3, 4, 5, 10**400]],
        [[1, 2, 3, 4, 5, float('inf')]],
        [[1, 2, 3, 4, 5, float('nan')]],
        [dict(counts=[1], size=[1, 1])],
        dict(counts=5, size=[1, 1]),
        dict(size=[1, 1]),
        dict(counts=[1]),
        'abc',
        7,
    ],
)
def test_what_is_no_segmentation(segmentation):
    masks, _ = masks_of(None, segmentation, [[0, 0, 4, 0, 4, 4]])
    assert masks.unknown == {1} and masks.areas()[2] == 8


def test_short_polygons():
    whole = [0, 0, 10, 0, 10, 10]
    masks, areas = masks_of([whole], [whole, [1, 2, 3, 4]], [[*whole, 5]], [[]], [])
    assert masks.short == [1, 2, 3]
    assert areas[:2].tolist() == [50, 50] and np.isnan(areas[2:]).all()


def test_areas_are_those_of_pycocotools_but_for_the_edges():
    rng = np.random.default_rng(0)
    polygons = []
    for _ in range(40):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(8, 30)))
        radius = rng.uniform(10, 40)
        points = radius * np.stack([np.cos(angles), np.sin(angles)], 1) + 50
        polygons.append(points.ravel().tolist())
    _, areas = masks_of(*([polygon] for polygon in polygons))
    expected = pycocotools_mask.area(pycocotools_mask.frPyObjects(polygons, 100, 100))
    edges = [np.abs(np.diff(np.reshape(p, (-1, 2)), axis=0)).sum() for p in polygons]
    assert (np.abs(areas - expected) <= np.array(edges) / 2 + 4).all()
