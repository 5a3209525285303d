"""Trainings over iterations: mmengine's, and not changed by an interruption."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner import loops as mmengine_loops

from mmdet_eca import UserError
from tests.training.resuming.test_evaluation import ToyScore
from tests.training.resuming.toy import (
    EVALUATION,
    NUMBERS,
    ToyNoise,
    ToyWatch,
    toy_train,
)

INFINITE = dict(sampler=dict(type='InfiniteSampler', shuffle=True))
SIMILAR = dict(batch_sampler=dict(type='AspectRatioBatchSampler', drop_last=False))
LOADERS = {
    'without end': INFINITE,
    'begun anew': {},
    'without end, batches of similar shape': {**INFINITE, **SIMILAR},
    'last batch dropped': dict(drop_last=True),
    'workers': dict(INFINITE, num_workers=2, persistent_workers=True),
    'few batches': dict(num_batch_per_epoch=2),
}


@LOOPS.register_module()
class ToyIterLoop(IterBasedTrainLoop):
    """mmengine's: one that is not exactly its class stays as it is."""


@HOOKS.register_module()
class ToyOrder(Hook):
    """Notes which images each iteration has got, and what is evaluated after it."""

    seen = {}  # of all runs since it was emptied

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        assert batch_idx == runner.iter
        self.seen[runner.iter] = [s.img_path for s in data_batch['data_samples']]

    def before_val(self, runner):
        self.seen[f'evaluated at {runner.iter}'] = runner.iter


@pytest.fixture(autouse=True)
def _empty():
    ToyOrder.seen, ToyWatch.losses, ToyScore.epochs = {}, {}, []


def train(work_dir, loader, stop=None, loop=None, **changes):
    """Ten iterations of two images out of seven, with an evaluation every four."""
    settings = dict(
        train_cfg=dict(max_iters=10, val_interval=4, **(loop or dict(by_epoch=False))),
        checkpoint={'by_epoch': False, 'interval': 4, **changes.pop('checkpoint', {})},
        param_scheduler=dict(type='CosineAnnealingLR', T_max=10, by_epoch=False),
        val_evaluator=dict(type='ToyScore', stop=changes.pop('stop_evaluation', None)),
        custom_hooks=[
            dict(type='ToyOrder'),
            dict(type='ToyWatch', stop=stop),
            *changes.pop('hooks', []),
        ],
        randomness=dict(seed=3),
    )
    toy_train(work_dir, loader=loader, **{**EVALUATION, **settings, **changes})


@pytest.mark.parametrize('name', LOADERS)
def test_resumed_in_the_middle(name, tmp_path):
    loader = LOADERS[name]
    train(tmp_path / 'whole', loader)
    whole = ToyWatch.losses
    ToyWatch.losses, ToyScore.epochs = {}, []
    for stop in (3, 6, 9, None):
        train(
            tmp_path / 'killed',
            loader,
            stop=stop,
            resume=True,
            checkpoint=dict(minutes=0),
        )
    assert ToyWatch.losses == whole and len(set(whole.values())) == 10


@pytest.mark.parametrize('name', LOADERS)
def test_the_images_are_those_of_mmengine(name, tmp_path, monkeypatch):
    """The same in each iteration, and evaluated after the same ones."""
    monkeypatch.setattr(mmengine_loops, 'time', SimpleNamespace(sleep=id))
    alone = dict(LOADERS[name], num_workers=0, persistent_workers=False)
    train(tmp_path / 'theirs', alone, loop=dict(type='ToyIterLoop'))
    theirs = ToyOrder.seen
    ToyOrder.seen = {}
    ToyScore.epochs = []
    train(tmp_path / 'ours', LOADERS[name])
    evaluated = {f'evaluated at {i}': i for i in (4, 8, 10)}
    assert ToyOrder.seen == theirs and evaluated.items() <= theirs.items()


def test_the_interval_of_the_evaluations_changes_when_mmengines_does(tmp_path):
    seen = []
    for loop in (dict(type='ToyIterLoop'), dict(by_epoch=False)):
        ToyOrder.seen, ToyScore.epochs = {}, []
        loop = dict(loop, dynamic_intervals=[(6, 1)])
        train(tmp_path / str(len(seen)), {}, loop=loop)
        seen.append(ToyOrder.seen)
    assert seen[0] == seen[1] and 'evaluated at 5' in seen[0]


def test_what_is_done_is_not_read_again(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        ToyNoise,
        '__call__',
        lambda self, results, call=ToyNoise.__call__: (
            read.append(results['sample_idx']) or call(self, results)
        ),
    )
    monkeypatch.setattr(ToyScore, 'process', lambda *arguments: None)
    settings = dict(checkpoint=dict(minutes=0), val_cfg=None, val_evaluator=None)
    settings['val_dataloader'] = None
    train(tmp_path, INFINITE, stop=6, **settings)
    assert len(read) == 2 * 7  # the seventh batch is read, and then it is killed
    read.clear()
    train(tmp_path, INFINITE, resume=True, **settings)
    assert len(read) == 2 * 4


def test_an_image_that_comes_again_is_drawn_anew(tmp_path):
    """One image, five times in each batch, gives as many different inputs."""
    seen = []

    @HOOKS.register_module(force=True)
    class ToyInputs(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.extend(tuple(inputs.tolist()) for inputs in data_batch['inputs'])

    loader = dict(INFINITE, batch_size=5, dataset=dict(NUMBERS, size=1))
    train(tmp_path, loader, hooks=[dict(type='ToyInputs')])
    assert len(set(seen)) == len(seen) == 50


def test_an_evaluation_that_was_killed_costs_no_iteration(tmp_path):
    """Evaluated every four iterations, with mmengine's checkpoints every hundred."""
    train(tmp_path, INFINITE, stop_evaluation=1, checkpoint=dict(interval=100))
    assert list(ToyWatch.losses) == [0, 1, 2, 3]
    ToyWatch.losses = {}
    train(tmp_path, INFINITE, resume=True, checkpoint=dict(interval=100))
    assert list(ToyWatch.losses) == [4, 5, 6, 7, 8, 9]
    assert ToyScore.epochs == [1, 2, 3]


def test_data_without_a_whole_batch_are_refused(tmp_path):
    """mmengine's error is StopIteration."""
    loader = dict(batch_size=8, drop_last=True)
    with pytest.raises(UserError, match='no whole batch; use a smaller batch_size'):
        train(tmp_path, loader)
