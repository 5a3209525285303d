"""What a training does more than MMDetection's is named in its config, and each part
has its switch."""

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop

from mmdet_eca.training.safe_training import SWITCHES, use_safe_training
from tests.training.resuming.toy import toy_config

OURS = 'mmdet_eca.training.resuming.'
HOOKS = 'mmdet_eca.training.hooks.'


def place(name):
    """The whole name of a class of ours."""
    return (HOOKS if name == 'DivergenceHook' else OURS) + name


def changed(tmp_path, **settings):
    cfg = toy_config(tmp_path, **settings)
    use_safe_training(cfg)
    return cfg


def named(cfg):
    """The types of the loop, of the checkpoint hook and of the hooks that are added."""
    hooks = [hook['type'] for hook in cfg.custom_hooks]
    return cfg.train_cfg.get('type'), cfg.default_hooks.checkpoint.type, *hooks


def test_all_of_it(tmp_path):
    names = ['ResumableEpochLoop', 'SafeCheckpointHook']
    added = ['InterruptionHook', 'DivergenceHook']
    cfg = changed(tmp_path)
    assert named(cfg) == (
        *map(place, names), 'ToyWatch', *map(place, added)
    )  # fmt: skip
    assert cfg.default_hooks.logger.type == f'{OURS}SafeLoggerHook'
    before = cfg.pretty_text
    use_safe_training(cfg)  # of a run that is started by the config it has left
    assert cfg.pretty_text == before


def test_none_of_it(tmp_path):
    off = dict.fromkeys(SWITCHES, False)
    cfg = changed(tmp_path, **off)
    assert cfg.pretty_text == toy_config(tmp_path, **off).pretty_text


@pytest.mark.parametrize(
    ('switch', 'names'),
    [
        ('exact_resume', ['SafeCheckpointHook', 'DivergenceHook']),
        ('safe_checkpoints', ['ResumableEpochLoop', 'DivergenceHook']),
        (
            'save_at_signals',
            ['ResumableEpochLoop', 'SafeCheckpointHook', 'DivergenceHook'],
        ),
        (
            'stop_at_nan',
            ['ResumableEpochLoop', 'SafeCheckpointHook', 'InterruptionHook'],
        ),
    ],
)
def test_each_switch(switch, names, tmp_path):
    """Without whole checkpoints, or in mmengine's loop, a signal ends a run as ever."""
    found = named(changed(tmp_path, **{switch: False}))
    assert [n for n in found if 'mmdet_eca' in str(n)] == [*map(place, names)]


@pytest.mark.parametrize(
    ('loop', 'name'),
    [
        (dict(by_epoch=True, max_epochs=1), 'ResumableEpochLoop'),
        (dict(by_epoch=False, max_iters=1), 'ResumableIterLoop'),
        (dict(type='EpochBasedTrainLoop', max_epochs=1), 'ResumableEpochLoop'),
        (dict(type='mmengine.IterBasedTrainLoop', max_iters=1), 'ResumableIterLoop'),
        (dict(type=EpochBasedTrainLoop, max_epochs=1), 'ResumableEpochLoop'),
    ],
)
def test_every_way_to_name_a_loop(loop, name, tmp_path):
    assert changed(tmp_path, train_cfg=loop).train_cfg.type == OURS + name


def test_classes_of_the_user_stay(tmp_path):
    class MyHook(CheckpointHook):
        """No config of ours knows what it needs."""

    loop = dict(type='MyLoop', max_epochs=3)
    hooks = dict(checkpoint=dict(type=MyHook), logger=None)
    cfg = changed(tmp_path, train_cfg=loop, default_hooks=hooks)
    assert named(cfg)[:3] == ('MyLoop', MyHook, 'ToyWatch')
    assert cfg.default_hooks.logger is None
    mine = dict(type='DivergenceHook', interval=9)
    cfg = Config(dict(train_cfg=loop, custom_hooks=[mine]))
    use_safe_training(cfg)
    assert cfg.custom_hooks == [mine]
