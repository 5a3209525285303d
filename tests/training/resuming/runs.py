"""Short trainings on the digits that stop in the middle, and what they have logged."""

from contextlib import suppress

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.conftest import ROOT
from tests.tools.in_process import call
from tests.tools.test_train import digits_options, scalars

NOT_COMPARED = ('time', 'data_time', 'memory')
FLIPS = """
_pipeline = [*_base_.train_pipeline]
_pipeline.insert(3, dict(type='RandomFlip', prob=0.5))
_pipeline[-1] = dict(type='PackDetInputs')
train_dataloader = dict(dataset=dict(pipeline=_pipeline))
custom_hooks = [*_base_.custom_hooks]
"""


class Killed(BaseException):
    """Stops a training: nothing in the package catches it."""


@HOOKS.register_module()
class StopHook(Hook):
    """Stops the training before an iteration, which has its batch already."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            raise Killed


def train(base, digits, work_dir, *words, stop=None, text='', **settings):
    """Trains a digits config: two epochs of four iterations, one image each.

    Args:
        base: Name of the config below configs/.
        digits: Folder of the data.
        work_dir: Where the config is written and results go.
        words: Further arguments of the command.
        stop: The iteration before which it is killed.
        text: The end of the config.
        settings: Of the config, with '__' for '.'.
    """
    work_dir.mkdir(exist_ok=True)
    path = work_dir / 'config.py'
    text = FLIPS + text
    if stop is not None:
        text += f"custom_hooks.append(dict(type='StopHook', iteration={stop}))\n"
    path.write_text(f"_base_ = '{ROOT}/configs/{base}.py'\n{text}")
    short = {
        'train_dataloader.batch_size': 1,
        'train_dataloader.dataset.indices': 4,
        'train_cfg.max_epochs': 2,
        'train_cfg.val_begin': 9,
    }
    settings = {name.replace('__', '.'): value for name, value in settings.items()}
    options = digits_options(digits, **{**short, **settings})
    with suppress(Killed):
        call('train', path, '--work-dir', work_dir, *words, *options)


def logged(work_dir):
    """What each iteration has logged last: the run that was not killed goes on."""
    rows = {row['step']: row for row in scalars(work_dir) if 'loss' in row}
    return {
        step: {name: row[name] for name in row if name not in NOT_COMPARED}
        for step, row in rows.items()
    }
