"""Small objects in large images: the detector sees parts of them, enlarged.

The cutting and the merging are those of ``sahi``, by its functions.
"""

from collections.abc import Sequence

import numpy as np
import pycocotools.mask as mask_util

from ..dependencies import require
from ..errors import UserError

Window = tuple[int, int, int, int]  # left, top, right and bottom in pixels
LEAST_SIZE = 32  # pixels, the deepest stride of a detector


class Slicer:
    """Cuts images into overlapping squares, and merges what was found in them.

    The whole image is one more part, for what is larger than a square.

    Args:
        size (int): Side of the squares in pixels.
        score_thr (float): Lowest score of a detection that counts: less sure ones
            would spoil the boxes that they are merged into.

    Raises:
        UserError: If the size is less than 32, or sahi is not installed.
    """

    def __init__(self, size: int, score_thr: float) -> None:
        if size < LEAST_SIZE:
            raise UserError(f'slices must be at least {LEAST_SIZE} pixels, got {size}')
        self.size = size
        self.score_thr = score_thr
        require('sahi', 'slices', '0.12')

    def cut(self, image: np.ndarray) -> list[Window]:
        """Returns the windows on an image of shape (H, W, 3), the whole one last.

        Neighbours share a fifth of their sides, sahi's default.
        """
        from sahi.slicing import get_slice_bboxes

        height, width = image.shape[:2]
        windows = get_slice_bboxes(height, width, self.size, self.size)
        whole = (0, 0, width, height)
        return [*(tuple(w) for w in windows if tuple(w) != whole), whole]

    def merge(
        self, found: Sequence[dict], windows: Sequence[Window], shape: Sequence[int]
    ) -> dict:
        """Merges the detections of all windows.

        Args:
            found (Sequence[dict]): For each window, lists 'bboxes' (left, top,
                right, bottom), 'scores', 'labels' and perhaps 'masks' (RLE), as
                MMDetection's inferencer gives them.
            windows (Sequence[Window]): The windows.
            shape (Sequence[int]): Height and width of the image.

        Returns:
            dict: The same for the image.
        """
        parts = [
            (part, i, window)
            for part, window in zip(found, windows)
            for i, score in enumerate(part['scores'])
            if score >= self.score_thr
        ]
        # The surest first; equal scores keep their order.
        parts.sort(key=lambda item: -item[0]['scores'][item[1]])
        boxes = np.array(
            [np.add(part['bboxes'][i], (*w[:2], *w[:2])) for part, i, w in parts]
        ).reshape(-1, 4)
        labels = [part['labels'][i] for part, i, _ in parts]
        groups = _groups(boxes, labels)
        merged: dict = dict(
            bboxes=[_around(boxes[group]).tolist() for group in groups],
            scores=[parts[i][0]['scores'][parts[i][1]] for i, *_ in groups],
            labels=[labels[i] for i, *_ in groups],
        )
        if any('masks' in part for part in found):
            merged['masks'] = [
                _union([_move(*parts[i], shape) for i in group]) for group in groups
            ]
        return merged


def _groups(boxes: np.ndarray, labels: Sequence[int]) -> list[list[int]]:
    """Groups detections (N, 4), the surest first, that are of one object.

    They are of one class, and half of the smaller box, or more, is in the other.
    sahi merges once: the parts of an object that met only in a less sure box of all
    of it stay apart. So it is done until nothing is left to merge. Of scores only the
    order counts.
    """
    from sahi.postprocess.combine import batched_greedy_nmm

    groups = [[i] for i in range(len(boxes))]
    while len(groups) > 1:
        table = np.array(
            [(*_around(boxes[g]), -i, labels[g[0]]) for i, g in enumerate(groups)]
        )
        merged = batched_greedy_nmm(table, match_metric='IOS', match_threshold=0.5)
        if len(merged) == len(groups):
            break
        groups = [
            sum((groups[i] for i in merged[first]), groups[first])
            for first in sorted(merged)
        ]
    return groups


def _around(boxes: np.ndarray) -> np.ndarray:
    """Returns the box around boxes of shape (N, 4)."""
    return np.concatenate((boxes[:, :2].min(0), boxes[:, 2:].max(0)))


def _move(part: dict, i: int, window: Window, shape: Sequence[int]) -> dict:
    """Returns the mask of a detection in a window as one of the whole image."""
    left, top, right, bottom = window
    mask = np.zeros(shape, np.uint8, order='F')
    mask[top:bottom, left:right] = mask_util.decode(part['masks'][i])
    return mask_util.encode(mask)


def _union(masks: list[dict]) -> dict:
    rle = mask_util.merge(masks)
    return dict(size=rle['size'], counts=rle['counts'].decode())
