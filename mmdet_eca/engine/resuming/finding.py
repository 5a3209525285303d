"""Which checkpoint of a folder a run goes on from."""

import glob
import os
import os.path as osp
from collections.abc import Sequence
from logging import Logger
from typing import NamedTuple

from ...checkpoints.files import read_checkpoint
from ...errors import UserError

POINTER = 'last_checkpoint'  # mmengine's file with the path of the newest checkpoint
_LONGEST_PATH = 2**16  # characters
WITHIN_EPOCH = 'within_epoch_iter_{}.pth'
UNFINISHED = 'checkpoint.tmp'  # one that is being written


class Found(NamedTuple):
    """A checkpoint that is whole, and what it says of itself."""

    path: str
    meta: dict


def find_newest_checkpoint(
    work_dir: str, folder: str, names: Sequence[str], logger: Logger, since: float = 0
) -> Found | None:
    """Finds the newest checkpoint of a run that is whole.

    It is the one that mmengine's file ``last_checkpoint`` points to, unless a later one
    was written after it, or it is not whole: then the one that was written last.

    Args:
        work_dir (str): Where ``last_checkpoint`` is.
        folder (str): Where the checkpoints are.
        names (Sequence[str]): Patterns of their names: 'epoch_*.pth'.
        logger (Logger): Says what is passed over, and why.
        since (float): Files that were written before it, in seconds since 1970, are
            those of another run.

    Returns:
        Found, optional: None if there is none.

    Raises:
        UserError: If there are checkpoints, and none of them is whole. A process that
            torchrun has started again begins anew instead.
    """
    damaged: list[str] = []
    pointed = _read(_pointed_path(work_dir, folder, logger), damaged)
    paths = {
        path
        for name in names
        for path in glob.glob(osp.join(folder, name))
        if osp.isfile(path)  # no folder, and no link to nowhere
    }
    oldest = os.stat(pointed.path).st_mtime_ns if pointed else 0
    if pointed and os.stat(pointed.path).st_mtime < since:
        pointed, oldest = None, 0
    newer = sorted(
        (-os.stat(path).st_mtime_ns, path)
        for path in paths
        if os.stat(path).st_mtime_ns > oldest and os.stat(path).st_mtime >= since
    )
    for _, path in newer:
        found = _read(path, damaged)
        if found and (pointed is None or found.meta['iter'] > pointed.meta['iter']):
            pointed = found
            break
    if damaged and pointed is None and not since:
        raise UserError(
            f'{damaged[0]}. {work_dir} has no other checkpoint to go on from; without '
            '--resume the training starts anew'
        )
    for reason in damaged:
        logger.warning(f'passed over: {reason}')
    return pointed


def _pointed_path(work_dir: str, folder: str, logger: Logger) -> str | None:
    pointer = osp.join(work_dir, POINTER)
    if not osp.isfile(pointer):
        return None
    with open(pointer, errors='replace') as file:
        path = file.read(_LONGEST_PATH).strip()
    moved = osp.join(folder, osp.basename(path))
    for candidate in (path, moved):  # the folder may have been moved
        if candidate and '\0' not in candidate and osp.isfile(candidate):
            return candidate
    logger.warning(f'{pointer} points to {path!r}, which is no file')
    return None


def _read(path: str | None, damaged: list[str]) -> Found | None:
    """Reads a checkpoint to its end.

    Returns:
        Found, optional: None if it is not one that a run goes on from; the reason is
        added to ``damaged``.
    """
    if path is None:
        return None
    try:
        checkpoint = read_checkpoint(path)
    except UserError as error:
        damaged.append(str(error))
        return None
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or not all(
        isinstance(meta.get(key), int) for key in ('epoch', 'iter')
    ):
        damaged.append(f'{path} has no epoch and iter in its meta')
        return None
    return Found(path, meta)
