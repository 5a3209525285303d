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
    pixels = np.ascontiguousarray(mask[:, first : last + 1].T).ravel()
    ends = np.flatnonzero(np.diff(pixels, prepend=np.uint8(0), append=np.uint8(0)))
    runs = np.diff(ends + first * height, prepend=0, append=height * width).tolist()
    if runs[-1] == 0:  # the last pixel is the object's
        runs.pop()
    return mask_util.frPyObjects(dict(size=[height, width], counts=runs), height, width)
