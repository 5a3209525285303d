"""A user's mistake that mmengine or the operating system meets, in one line."""

import difflib
import errno
import inspect
import os.path as osp
import traceback
import urllib.error
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
        where = f'{config}: ' if config else ''
        if isinstance(error, OSError) and error.errno in _STORAGE:
            file = f': {error.filename}' if error.filename else ''
            raise UserError(f'{error.strerror}{file}; --debug shows where') from error
        if isinstance(error, urllib.error.URLError):
            raise UserError(
                f'{where}weights cannot be downloaded ({error.reason}): give '
                'a file as init_cfg.checkpoint or load_from, or start without: '
                '--cfg-options model.backbone.init_cfg=None '
                'model.backbone.frozen_stages=-1 model.backbone.norm_eval=False'
            ) from error
        if isinstance(error, ValueError) and 'loaded state dict' in str(error):
            raise UserError(
                'the checkpoint to resume from is of another network or optimizer: '
                f'{error}; to start from its weights, set load_from without --resume'
            ) from error
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.filename.startswith(_READING_CONFIGS) for frame in frames):
            what = f'{type(error).__name__}: {error}'
            if 'custom modules' in what and error.__cause__ is not None:
                what = (
                    f'custom_imports: {error.__cause__}; modules are looked for in the '
                    'current folder and in PYTHONPATH'
                )
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
        _refuse_variable(cfg, option)
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


def _refuse_variable(cfg: Config, option: str) -> None:
    """Refuses a variable of a config: what it was used for has been copied from it."""
    name, _, rest = option.partition('.')
    value = cfg.get(name)
    if name in KEYS or not isinstance(value, (dict, list, tuple)):
        return
    place = next(
        (p for key in KEYS & set(cfg) for p in _places(cfg[key], value, key)), ''
    )
    hint = (
        f'set {".".join(filter(None, [place, rest]))}' if place else 'set what uses it'
    )
    raise UserError(
        f'--cfg-options {option}: {name} is a variable of the config, whose value was '
        f'copied when the config was read: {hint}'
    )


def _places(node: Any, value: Any, place: str) -> Iterator[str]:
    """Yields where a value stands inside nested settings."""
    if _has(node, value):
        yield place
    items = node.items() if isinstance(node, dict) else []
    for key, inner in items:
        yield from _places(inner, value, f'{place}.{key}')


def _has(node: Any, value: Any) -> bool:
    """Whether a setting has all that a value has, but for mmengine's scopes."""
    if isinstance(node, dict) and isinstance(value, dict):
        own = {key: part for key, part in value.items() if key != '_scope_'}
        return all(key in node and _has(node[key], own[key]) for key in own)
    if isinstance(node, (list, tuple)) and isinstance(value, (list, tuple)):
        return len(node) == len(value) and all(map(_has, node, value))
    return bool(node == value)


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
