"""An evaluation that an interruption prevented is made up for."""

import errno
import os

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from tests.training.resuming.runs import Killed
from tests.training.resuming.toy import EVALUATION, ToyWatch, toy_train


@METRICS.register_module()
class ToyScore(BaseMetric):
    """The second epoch is the best; the evaluation of epoch ``stop`` is killed."""

    epochs = []  # evaluated by all runs since it was emptied

    def __init__(self, stop=None):
        super().__init__()
        self.stop = stop

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        epoch = len(self.epochs) + 1
        if epoch == self.stop:
            raise Killed
        self.epochs.append(epoch)
        return dict(mAP=[0, 1, 3, 2][min(epoch, 3)])


def train(work_dir, stop=None, checkpoint=None, **settings):
    """Three epochs; the checkpoint of the best is kept, and those of all."""
    toy_train(
        work_dir,
        checkpoint=dict(save_best='mAP', **(checkpoint or {})),
        **{**EVALUATION, 'val_evaluator': dict(type='ToyScore', stop=stop)},
        **settings,
    )


@pytest.fixture(autouse=True)
def _empty():
    ToyScore.epochs, ToyWatch.losses = [], {}


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


ALL = ['best_mAP_epoch_2.pth', 'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_killed_while_it_evaluates(tmp_path):
    train(tmp_path, stop=2)
    assert names(tmp_path) == ['best_mAP_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']
    train(tmp_path, resume=True)
    assert ToyScore.epochs == [1, 2, 3] and names(tmp_path) == ALL


def test_killed_while_it_evaluates_what_has_no_checkpoint_of_its_own(tmp_path):
    """mmengine's are written every second epoch, and each one is evaluated."""
    settings = dict(checkpoint=dict(interval=2), randomness=dict(seed=3))
    train(tmp_path / 'whole', **settings)
    whole, ToyScore.epochs, ToyWatch.losses = ToyWatch.losses, [], {}
    train(tmp_path / 'killed', stop=1, **settings)
    assert names(tmp_path / 'killed') == ['within_epoch_iter_4.pth']
    assert list(ToyWatch.losses) == [0, 1, 2, 3]
    before, ToyWatch.losses = ToyWatch.losses, {}
    train(tmp_path / 'killed', resume=True, **settings)
    assert {**before, **ToyWatch.losses} == whole
    assert list(ToyWatch.losses) == [*range(4, 12)] and ToyScore.epochs == [1, 2, 3]
    assert names(tmp_path / 'killed') == names(tmp_path / 'whole')


def test_early_stopping_keeps_its_count(tmp_path):
    """The second evaluation is the best, and the third one is killed."""
    hook = dict(type='EarlyStoppingHook', monitor='mAP', patience=3)
    settings = dict(
        custom_hooks=[dict(type='ToyWatch'), hook],
        train_cfg=dict(by_epoch=True, max_epochs=9),
    )
    train(tmp_path / 'whole', **settings)
    assert ToyScore.epochs == [1, 2, 3, 4, 5]
    for killed in (3, 4):
        ToyScore.epochs = []
        train(tmp_path / str(killed), stop=killed, **settings)
        train(tmp_path / str(killed), resume=True, **settings)
        assert ToyScore.epochs == [1, 2, 3, 4, 5]


def test_no_room_for_the_best_one(tmp_path, monkeypatch):
    """The best one so far is kept."""

    def replace(source, target, replace=os.replace):
        if str(target).endswith('best_mAP_epoch_2.pth'):
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    train(tmp_path)
    assert names(tmp_path) == ['best_mAP_epoch_1.pth', *ALL[1:]]
