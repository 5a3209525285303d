"""Non-maximum suppression: ``nms``, ``softnms`` and ``nms_match`` of mmcv.

All three compute in float32, as mmcv's kernels do. Of boxes with equal scores the one
with the lower index comes first, on every device.
"""

import numpy as np
import torch
from torch import Tensor

from .kernels import works

# Boxes are resolved in blocks of this many, against tiles of the others that stay in
# the processor's cache.
_BLOCK = 64
_TILE = 512


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Returns which boxes greedy non-maximum suppression keeps.

    A box is dropped if its IoU with a kept box of a higher score is greater than the
    threshold.

    Args:
        boxes (Tensor): Left, top, right and bottom, shape (N, 4). Other types than
            float32, which mmcv refuses, are converted.
        scores (Tensor): Shape (N,), of any type.
        iou_threshold (float): The largest IoU of two boxes that are both kept.
        offset (int): 0, or 1 if a box includes its last pixel: its width is then
            ``x2 - x1 + 1``.

    Returns:
        Tensor: Indices of the kept boxes, from the highest score down, int64.
    """
    order = scores.sort(descending=True, stable=True).indices
    boxes = boxes.detach().float()[order]
    threshold = np.float32(iou_threshold)  # mmcv compares in float32
    device = boxes.device.type
    # On the CPU the other way is as fast.
    if not offset and device != 'cpu' and works(_torchvision_nms, device):
        from torchvision.ops import nms as kernel

        # Ranks instead of scores: no device can sort equal ones differently.
        ranks = torch.arange(len(boxes), 0, -1, device=boxes.device).float()
        return order[kernel(boxes, ranks, float(threshold))]
    kept = _suppress(boxes.cpu().numpy(), threshold, offset)
    return order[torch.from_numpy(kept).to(order.device)]


def _suppress(boxes: np.ndarray, threshold: np.float32, offset: int) -> np.ndarray:
    """Returns the indices of the boxes that stay; the boxes are sorted by their scores.

    Each block of boxes is resolved by itself, and all that it keeps suppress the boxes
    after it at once.
    """
    sides = np.empty((5, len(boxes)), np.float32)
    sides[:4] = boxes.T
    sides[4] = _areas(boxes, offset)
    indices = np.arange(len(boxes))
    buffers = np.empty((3, _BLOCK, _TILE), np.float32)
    kept = []
    while len(indices):
        block, rest = sides[:, :_BLOCK], sides[:, _BLOCK:]
        stays = _resolve(_iou(block, block, offset, buffers) > threshold)
        kept.append(indices[:_BLOCK][stays])
        block = np.ascontiguousarray(block[:, stays])
        alive = np.empty(rest.shape[1], bool)
        for i in range(0, len(alive), _TILE):
            overlap = _iou(block, rest[:, i : i + _TILE], offset, buffers)
            alive[i : i + _TILE] = ~(overlap > threshold).any(0)
        sides, indices = rest[:, alive], indices[_BLOCK:][alive]
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _resolve(exceeds: np.ndarray) -> list[int]:
    """Returns which boxes of a block stay, given which pairs of them overlap."""
    rows = np.packbits(exceeds, axis=1, bitorder='little')
    stays, dropped = [], 0
    for i, row in enumerate(rows):
        if not dropped >> i & 1:
            stays.append(i)
            dropped |= int.from_bytes(row.tobytes(), 'little')
    return stays


def _iou(
    one: np.ndarray, two: np.ndarray, offset: int, buffers: np.ndarray | None = None
) -> np.ndarray:
    """Returns the IoU of each pair, NaN for two boxes without an area.

    The operations and their order are those of mmcv's kernel, since another rounding
    could decide otherwise.

    Args:
        one (np.ndarray): Left, top, right, bottom and area, shape (5, M), float32.
        two (np.ndarray): The same, shape (5, N).
        offset (int): 0 or 1.
        buffers (np.ndarray, optional): Memory to work in, shape (3, M or more, N or
            more): to allocate it takes as long as the arithmetic of few boxes.
    """
    shape = (one.shape[1], two.shape[1])
    if buffers is None:
        buffers = np.empty((3, *shape), np.float32)
    width, height, other = buffers[:, : shape[0], : shape[1]]
    for out, start, end in ((width, 0, 2), (height, 1, 3)):
        np.minimum(one[end][:, None], two[end], out=out)
        np.maximum(one[start][:, None], two[start], out=other)
        out -= other
        if offset:
            out += np.float32(offset)
        np.maximum(out, np.float32(0), out=out)
    width *= height
    union = np.add(one[4][:, None], two[4], out=height)
    union -= width
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.divide(width, union, out=width)


def _areas(boxes: np.ndarray, offset: int) -> np.ndarray:
    left, top, right, bottom = boxes.T
    extra = np.float32(offset)
    return (right - left + extra) * (bottom - top + extra)


def _torchvision_nms(device: str) -> None:
    from torchvision.ops import nms

    nms(torch.zeros(1, 4, device=device), torch.zeros(1, device=device), 0.5)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lowers the scores of boxes that overlap (Bodla et al., Soft-NMS, ICCV 2017).

    Args:
        boxes (Tensor): Shape (N, 4), on the CPU.
        scores (Tensor): Shape (N,), on the CPU.
        dets (Tensor): Shape (N, 5). Its first rows become the boxes and scores that
            are left, in the order in which they are taken.
        iou_threshold (float): From this IoU on the methods 0 and 1 change a score.
        sigma (float): Width of the Gaussian: method 2 multiplies a score by
            ``exp(-IoU^2 / sigma)``.
        min_score (float): A box whose score falls below it is removed.
        method (int): 0 removes, 1 multiplies by ``1 - IoU``, 2 is Gaussian.
        offset (int): See :func:`nms`.

    Returns:
        Tensor: Indices of the boxes that are left, int64.
    """
    table = np.empty((7, len(boxes)), np.float32)
    table[:4] = boxes.detach().numpy().T
    table[4] = _areas(table[:4].T, offset)
    table[5] = scores.detach().numpy()
    indices = np.arange(len(boxes))
    threshold, sigma, min_score = map(np.float32, (iou_threshold, sigma, min_score))
    taken, end = 0, len(boxes)
    while taken < end:
        # As mmcv: the highest is swapped to the front, which decides between equal
        # scores later on.
        best = taken + _first_highest(table[5, taken:end])
        for values in (table, indices):
            values[..., [taken, best]] = values[..., [best, taken]]
        current = table[:5, taken : taken + 1]
        others = slice(taken + 1, end)
        overlap = _iou(current, table[:5, others], offset)[0]
        if method == 2:
            weights = np.exp(-(overlap * overlap) / sigma)
        else:
            lowered = 1 - overlap if method == 1 else np.float32(0)
            weights = np.where(overlap >= threshold, lowered, np.float32(1))
        table[5, others] *= weights
        stays = ~(table[5, others] < min_score)
        source = taken + 1 + _moved_from_the_end(stays)
        taken += 1
        end = taken + len(source)
        table[:, taken:end] = table[:, source]
        indices[taken:end] = indices[source]
    left = np.concatenate((table[:4, :end], table[5:6, :end])).T
    dets[:end] = torch.from_numpy(left).to(dets.dtype)
    return torch.from_numpy(indices[:end])


def _first_highest(scores: np.ndarray) -> int:
    """Returns the index of the first highest score, as comparing one by one finds it.

    None is higher than NaN, and NaN is higher than none.
    """
    if np.isnan(scores[0]):
        return 0
    return int(np.where(np.isnan(scores), -np.inf, scores).argmax())


def _moved_from_the_end(stays: np.ndarray) -> np.ndarray:
    """Returns which element is where after the removal of some.

    Each that is removed is replaced by the last one that stays, as mmcv does.
    """
    count = int(stays.sum())
    source = np.arange(count)
    holes = np.flatnonzero(~stays[:count])
    source[holes] = (count + np.flatnonzero(stays[count:]))[::-1]
    return source


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups each box that non-maximum suppression keeps with those that it drops.

    Args:
        dets (Tensor): Boxes and scores, shape (N, 5), on the CPU.
        iou_threshold (float): From this IoU on a box is dropped.

    Returns:
        list[list[int]]: The groups from the highest score down; in each the index of
        the kept box and those of the others in the order of their scores.
    """
    order = dets[:, 4].sort(descending=True, stable=True).indices.numpy()
    sides = np.empty((5, len(dets)), np.float32)
    sides[:4] = dets[order, :4].numpy().T
    sides[4] = _areas(sides[:4].T, 0)
    groups = []
    while len(order):
        overlap = _iou(sides[:, :1], sides[:, 1:], 0)[0]
        matched = overlap >= np.float32(iou_threshold)
        groups.append([int(order[0]), *order[1:][matched].tolist()])
        order, sides = order[1:][~matched], sides[:, 1:][:, ~matched]
    return groups
