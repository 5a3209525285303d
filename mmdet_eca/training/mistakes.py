"""A user's mistake that mmengine or the operating system meets, in one line."""

import difflib
import errno
import inspect
import os.path as osp
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import mmengine
from mmengine.config import Config
from mmengine.runner import Runner

from ..errors import UserError

# Where mmengine reads configs and builds what they name.
_READING_CONFIGS = tuple(
    osp.join(osp.dirname(mmengine.__file__), *place)
    for place in (('config', ''), ('registry', 'build_functions.py'))
)
_STORAGE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
# What a run reads at the top level of a config.
KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'auto_scale_lr',
    'backend_args',
    'check_config',
    'custom_imports',
    'exact_resume',
    'find_unused_parameters',
    'runner_type',
    'safe_checkpoints',
    'save_at_signals',
    'stop_at_nan',
    'tta_model',
    'tta_pipeline',
}
# Settings of MMDetection 2.x, and what has taken their place.
_IN_2X = dict(
    checkpoint_config='default_hooks.checkpoint',
    data='train_dataloader, val_dataloader and test_dataloader',
    evaluation='val_evaluator and train_cfg.val_interval',
    lr_config='param_scheduler',
    optimizer='optim_wrapper.optimizer',
    runner='train_cfg',
)


@contextmanager
def explained_mistakes(config: str | None = None) -> Iterator[None]:
    """Raises a UserError for what is wrong with a config, a folder or a disk.

    Args:
        config (str, optional): The config of the command, for the message.

    Raises:
        UserError: If reading a config, or building what it names, has failed; or if
            a file cannot be written or read for want of rights or space.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:
            where = f' {error.filename}' if error.filename else ''
            raise UserError(f'{error.strerror}:{where}; --debug shows where') from error
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.filename.startswith(_READING_CONFIGS) for frame in frames):
            what = f'{type(error).__name__}: {error}'
            where = f'{config}: ' if config else ''
            raise UserError(f'{where}{what}; --debug shows where') from error
        raise


def merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Changes settings of a config as ``--cfg-options`` says.

    Args:
        cfg (Config): Changed in place.
        options (dict[str, Any]): Values by their keys: 'optim_wrapper.optimizer.lr'.

    Raises:
        UserError: If a key is neither in the config nor read by any run, or is
            spelled nearly as one that is there.
    """
    for option in options:
        node: Any = cfg
        for depth, key in enumerate(option.split('.')):
            known: Iterable[str] = node if depth else {*node, *KEYS}
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.85)
                if depth == 0 or (near and len(key) > 4):
                    hint = f', do you mean {near[0]!r}?' if near else ''
                    raise UserError(
                        f'--cfg-options {option}: nothing reads {key!r}'
                        + (_in_3x(key) if depth == 0 and key in _IN_2X else hint)
                    )
            node = node.get(key) if key in node else None
            if not isinstance(node, dict):
                break  # a new key, a value, or a list, whose items have numbers
    try:
        cfg.merge_from_dict(options)
    except (AssertionError, IndexError, KeyError, TypeError) as error:
        raise UserError(
            f'--cfg-options {" ".join(options)} does not fit the config: {error}; '
            "an item of a list is named by its number: 'bbox_head.0.num_classes=3'"
        ) from error


def check_keys(cfg: Config) -> None:
    """Checks the names of a config's settings.

    Raises:
        UserError: If it is one of MMDetection 2.x, or has a name that differs from
            a setting's by a slip.
    """
    old = next((key for key in _IN_2X if key in cfg), None)
    if old and 'train_dataloader' not in cfg:
        raise UserError(f'{cfg.filename or "the config"} has {old!r}' + _in_3x(old))
    for key in set(cfg) - KEYS:
        near = difflib.get_close_matches(key, KEYS, 1, 0.9)
        if near and len(key) > 7 and isinstance(cfg[key], (dict, list)):
            raise UserError(
                f'{cfg.filename or "the config"}: nothing reads {key!r}, do you mean '
                f'{near[0]!r}? check_config=False starts without this check'
            )


def _in_3x(key: str) -> str:
    return (
        f' of MMDetection 2.x; in 3.x it is {_IN_2X[key]}, see '
        'https://mmdetection.readthedocs.io/en/latest/migration/config_migration.html'
    )
