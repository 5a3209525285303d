"""An evaluation that an interruption prevented is made up for."""

import errno
import os

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from tests.engine.resuming.runs import Killed
from tests.engine.resuming.toy import NUMBERS, toy_train


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
        return dict(mAP=[0, 1, 3, 2][epoch])


def train(work_dir, stop=None, **settings):
    """Three epochs; the checkpoint of the best is kept, and those of all."""
    toy_train(
        work_dir,
        checkpoint=dict(save_best='mAP'),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='ToyScore', stop=stop),
        val_dataloader=dict(
            batch_size=4,
            num_workers=0,
            dataset=NUMBERS,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        **settings,
    )


@pytest.fixture(autouse=True)
def _empty():
    ToyScore.epochs = []


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


ALL = ['best_mAP_epoch_2.pth', 'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_killed_while_it_evaluates(tmp_path):
    train(tmp_path, stop=2)
    assert names(tmp_path) == ['best_mAP_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']
    train(tmp_path, resume=True)
    assert ToyScore.epochs == [1, 2, 3] and names(tmp_path) == ALL


def test_what_is_evaluated_is_not_evaluated_again(tmp_path):
    train(tmp_path)
    assert ToyScore.epochs == [1, 2, 3] and names(tmp_path) == ALL
    os.remove(tmp_path / 'epoch_3.pth')
    ToyScore.epochs = [1, 2]
    train(tmp_path, resume=True)
    assert ToyScore.epochs == [1, 2, 3] and names(tmp_path) == ALL


def test_no_room_for_the_best_one(tmp_path, monkeypatch):
    """The best one so far is kept, and a later one may still become the best."""
    full = []

    def replace(source, target, replace=os.replace):
        if str(target).endswith('best_mAP_epoch_2.pth'):
            full.append(target)
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    train(tmp_path)
    assert full and names(tmp_path) == ['best_mAP_epoch_3.pth', *ALL[1:]]
    assert torch.load(tmp_path / 'best_mAP_epoch_3.pth')['meta']['epoch'] == 3
