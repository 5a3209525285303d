"""Masks as run-length encoding."""

from typing import Any

import numpy as np
import pycocotools.mask as mask_util


def encode_masks(masks: np.ndarray) -> list[dict[str, Any]]:
    """What ``pycocotools.mask.encode`` gives for each mask.

    The runs go down the columns, of which an object fills a part. Only these are
    turned round and read; pycocotools reads whole images.

    Args:
        masks (numpy.ndarray): Masks of shape (n, H, W), bool or uint8 of 0 and 1.

    Returns:
        list[dict]: ``size`` and ``counts``, which are bytes, of each.
    """
    return [_encode(mask.view(np.uint8)) for mask in masks]


def _encode(mask: np.ndarray) -> dict[str, Any]:
    height, width = mask.shape
    columns = np.flatnonzero(mask.max(axis=0))
    first, last = (columns[0], columns[-1]) if len(columns) else (0, -1)
    # Nothing before and behind, so that runs of the object begin and end inside.
    pixels = np.zeros((last + 1 - first) * height + 2, np.uint8)
    pixels[1:-1].reshape(-1, height)[:] = mask[:, first : last + 1].T
    ends = np.flatnonzero(pixels[1:] != pixels[:-1])
    runs = np.diff(ends + first * height, prepend=0, append=height * width).tolist()
    if runs[-1] == 0:  # the last pixel is the object's
        runs.pop()
    return mask_util.frPyObjects(dict(size=[height, width], counts=runs), height, width)
