"""Adds this package's training loop and hooks to a config, by name."""

from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

PACKAGE = __name__.rpartition('.')[0]  # mmengine finds a class by its whole name
SWITCHES = ('exact_resume', 'safe_checkpoints', 'save_at_signals', 'stop_at_nan')
LOOPS = {
    EpochBasedTrainLoop.__name__: f'{PACKAGE}.resuming.ResumableEpochLoop',
    IterBasedTrainLoop.__name__: f'{PACKAGE}.resuming.ResumableIterLoop',
}


def use_safe_training(cfg: Config) -> None:
    """Names this package's training loop and hooks in a config.

    The config that the run leaves in its work directory has them too, so that
    MMDetection's tools/train.py does the same with it. docs/train.md has the table
    of what each switch (``exact_resume=False`` and so on in the config) turns off.
    Classes of the user's stay.

    Args:
        cfg (Config): A whole config, changed in place.
    """
    on = {switch: cfg.get(switch, True) for switch in SWITCHES}
    if on['exact_resume']:
        loop = dict(cfg.train_cfg)
        if 'type' not in loop and 'by_epoch' in loop:
            by_epoch = loop.pop('by_epoch')
            kind = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
            loop['type'] = kind.__name__
        loop['type'] = LOOPS.get(_name(loop.get('type')), loop.get('type'))
        cfg.train_cfg = loop
    if on['safe_checkpoints']:
        hooks = dict(cfg.get('default_hooks') or {})
        for name, kind in (('checkpoint', CheckpointHook), ('logger', LoggerHook)):
            hook = hooks.get(name, dict(type=kind.__name__))
            if hook is not None and _name(hook.get('type')) == kind.__name__:
                hooks[name] = dict(hook, type=f'{PACKAGE}.resuming.Safe{kind.__name__}')
        cfg.default_hooks = hooks
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if (
        on['save_at_signals']
        and cfg.train_cfg.get('type') in LOOPS.values()
        and checkpoint.get('type') == f'{PACKAGE}.resuming.SafeCheckpointHook'
    ):
        _add_hook(cfg, 'resuming.InterruptionHook')
    if on['stop_at_nan']:
        _add_hook(cfg, 'hooks.DivergenceHook')


def _add_hook(cfg: Config, name: str) -> None:
    hooks = list(cfg.get('custom_hooks') or [])
    there = [_name(hook.get('type')).rpartition('.')[2] for hook in hooks]
    if name.rpartition('.')[2] not in there:
        cfg.custom_hooks = [*hooks, dict(type=f'{PACKAGE}.{name}')]


def _name(kind: Any) -> str:
    """Returns the name of a class, which a config has as text or as itself."""
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.removeprefix('mmengine.').removeprefix('mmdet.')
