"""The detections that one of two detectors has and the other has not."""

from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData

VERDICTS = {True: 'right', False: 'wrong', None: 'unknown'}


class Compared(NamedTuple):
    """The detections of one detector beside another's.

    Attributes:
        found (InstanceData): The detections, see :mod:`.inputs`.
        shared (np.ndarray): Whether the other has each of them, shape (n,).
        right (list[bool | None]): Whether an annotated object is there. None if
            nothing is annotated, or the detection lies in an ignored region.
    """

    found: InstanceData
    shared: np.ndarray
    right: list[bool | None]

    def only_here(self) -> dict[bool | None, int]:
        """Counts those that the other has not: right, wrong and unknown (None)."""
        verdicts = [r for r, shared in zip(self.right, self.shared) if not shared]
        return {value: verdicts.count(value) for value in VERDICTS}


def compare(
    first: InstanceData,
    second: InstanceData,
    truth: InstanceData | None,
    ignored: np.ndarray,
    iou: float = 0.5,
) -> tuple[Compared, Compared]:
    """Compares the detections of two detectors in an image.

    Args:
        first (InstanceData): Objects found by one detector, see :mod:`.inputs`.
        second (InstanceData): Objects found by the other.
        truth (InstanceData, optional): The annotated objects.
        ignored (np.ndarray): Boxes of ignored regions, shape (m, 4).
        iou (float): From which overlap on two boxes of a class are the same.
    """
    partners = match(first, second, iou)
    has_partner = np.isin(np.arange(len(second)), partners)
    return (
        Compared(first, partners >= 0, _verdicts(first, truth, ignored, iou)),
        Compared(second, has_partner, _verdicts(second, truth, ignored, iou)),
    )


def match(found: InstanceData, others: InstanceData, iou: float = 0.5) -> np.ndarray:
    """Pairs objects of the same class, each with at most one, as COCO does.

    In the order of their scores, each of n objects takes the one of m others that it
    overlaps most of those that are left, if the overlap is at least ``iou``.

    Returns:
        np.ndarray: Index of the other one, or -1, shape (n,).
    """
    overlaps = _overlaps(found.bboxes, others.bboxes, 'iou')
    overlaps[found.labels[:, None] != others.labels] = -1
    partners = np.full(len(found), -1)
    for index, row in enumerate(overlaps if len(others) else ()):
        best = int(row.argmax())
        if row[best] >= iou:
            partners[index] = best
            overlaps[:, best] = -1
    return partners


def _verdicts(
    found: InstanceData, truth: InstanceData | None, ignored: np.ndarray, iou: float
) -> list[bool | None]:
    if truth is None:
        return [None] * len(found)
    right = match(found, truth, iou) >= 0
    in_ignored = _overlaps(found.bboxes, ignored, 'iof').max(1, initial=0) >= iou
    return [
        True if is_right else None if is_ignored else False
        for is_right, is_ignored in zip(right, in_ignored)
    ]


def _overlaps(boxes: np.ndarray, others: np.ndarray, mode: str) -> np.ndarray:
    """Returns the overlaps (n, m) of boxes (n, 4) with others (m, 4)."""
    tensors = (torch.from_numpy(array).double() for array in (boxes, others))
    overlaps: np.ndarray = bbox_overlaps(*tensors, mode=mode).numpy()
    return overlaps
