"""Which checkpoint a training continues from."""

import contextlib
import glob
import logging
import os
import os.path as osp

from mmengine.config import Config
from mmengine.logging import print_log

from ...errors import UserError
from ...weights.files import read_checkpoint

POINTER = 'last_checkpoint'  # mmengine's file with the path of the newest checkpoint
WITHIN_EPOCH = 'within_epoch_iter_{}.pth'
_LONGEST_PATH = 2**16  # characters


def choose_checkpoint(cfg: Config) -> None:
    """Sets what a training is resumed from, and the seed of that run.

    With ``resume`` that is ``load_from``, or the newest whole checkpoint in the work
    directory. A process that torchrun has started again continues from the newest
    one of this launch.

    Args:
        cfg (Config): A whole config with ``work_dir``, changed in place.

    Raises:
        UserError: If a checkpoint to resume from is not whole, or none of those in
            the work directory is.
    """
    pointer = osp.join(cfg.work_dir, POINTER)
    if int(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')):
        if osp.isfile(pointer):  # written since the launch
            cfg.resume, cfg.load_from = True, None
    elif not cfg.get('resume') or cfg.get('load_from') is not None:
        with contextlib.suppress(FileNotFoundError):  # of an earlier run
            os.remove(pointer)
    if not cfg.get('resume'):
        return
    if cfg.get('load_from') is not None:
        found, meta = cfg.load_from, _read_meta(cfg.load_from)
    else:
        newest = find_newest_checkpoint(cfg)
        if newest is None:
            cfg.resume = False
            _warn(f'{cfg.work_dir} has no checkpoint: the training starts from scratch')
            return
        found, meta = newest
    cfg.resume, cfg.load_from = True, found
    randomness = dict(cfg.get('randomness') or {})
    configured, seed = randomness.get('seed'), meta.get('seed')
    if seed is not None and seed != configured:
        if configured is not None:
            _warn(f'randomness.seed={configured} is not used: {found} has seed {seed}')
        cfg.randomness = dict(randomness, seed=seed)


def find_newest_checkpoint(cfg: Config) -> tuple[str, dict] | None:
    """Finds the newest checkpoint of a run that is whole, and reads its ``meta``.

    It is the one that mmengine's file ``last_checkpoint`` points to; if that is not
    whole, the one that was written last.

    Args:
        cfg (Config): A whole config with ``work_dir``.

    Raises:
        UserError: If there are checkpoints, and none of them is whole.
    """
    pointed, folder = _follow_pointer(cfg.work_dir)
    paths = [
        path
        for path in glob.glob(osp.join(glob.escape(folder), '*.pth'))
        if osp.isfile(path) and not osp.basename(path).startswith('best_')
    ]
    paths.sort(key=lambda path: os.stat(path).st_mtime_ns, reverse=True)
    damaged = []
    for path in dict.fromkeys([*pointed, *paths]):
        try:
            return path, _read_meta(path)
        except UserError as error:
            damaged.append(str(error))
            _warn(f'passed over: {error}')
    if damaged:
        raise UserError(
            f'{damaged[0]}. {cfg.work_dir} has no other checkpoint to continue from; '
            'without --resume the training starts from scratch'
        )
    return None


def _follow_pointer(work_dir: str) -> tuple[list[str], str]:
    """Returns the file that ``last_checkpoint`` points to, if any, and its folder."""
    pointer = osp.join(work_dir, POINTER)
    if not osp.isfile(pointer):
        return [], work_dir
    with open(pointer, errors='replace') as file:
        path = file.read(_LONGEST_PATH).strip()
    moved = osp.join(work_dir, osp.basename(path))  # with the folder
    for candidate in (path, moved):
        if candidate and '\0' not in candidate and osp.isfile(candidate):
            return [candidate], osp.dirname(candidate)
    _warn(f'{pointer} points to {path!r}, which is no file')
    return [], work_dir


def _read_meta(path: str) -> dict:
    """Reads a checkpoint to its end.

    Raises:
        UserError: If it is not one that a training continues from.
    """
    checkpoint = read_checkpoint(path)
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or not all(
        isinstance(meta.get(key), int) for key in ('epoch', 'iter')
    ):
        raise UserError(f'{path} has no epoch and iter in its meta')
    if 'config' in meta:  # which mmengine does not write, but would run
        raise UserError(
            f'{path} is refused: mmengine would run the code in its meta.config; '
            'take it as load_from without --resume'
        )
    return meta


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
