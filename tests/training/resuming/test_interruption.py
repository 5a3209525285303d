"""A signal ends a run after its iteration, with a checkpoint and an own status."""

import multiprocessing
import os
import signal

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.training.resuming.toy import ToyWatch, toy_losses, toy_train

SEED = dict(seed=3)


@HOOKS.register_module()
class ToySignal(Hook):
    """Sends a signal to the process and to the workers of its data loader, as Slurm
    does."""

    def __init__(self, iteration, number):
        self.iteration = iteration
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            for process in multiprocessing.active_children():
                os.kill(process.pid, self.number)
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ('number', 'workers'), [(signal.SIGTERM, 2), (signal.SIGUSR1, 0)]
)
def test_a_signal_costs_nothing(number, workers, tmp_path):
    settings = dict(
        loader=dict(num_workers=workers, persistent_workers=workers > 0),
        randomness=SEED,
    )
    whole = toy_losses(tmp_path / 'whole', **settings)
    ToyWatch.losses = {}
    folder = tmp_path / 'interrupted'
    handler = signal.getsignal(number)
    hook = dict(type='ToySignal', iteration=5, number=number)
    with pytest.raises(SystemExit) as end:
        toy_train(folder, custom_hooks=[dict(type='ToyWatch'), hook], **settings)
    assert end.value.code == 75  # EX_TEMPFAIL
    assert signal.getsignal(number) is handler
    assert list(ToyWatch.losses) == list(range(6))
    assert (folder / 'within_epoch_iter_6.pth').exists()
    toy_train(folder, resume=True, **settings)
    assert ToyWatch.losses == whole


def test_gradients_are_accumulated_to_their_end_first(tmp_path):
    wrapper = dict(
        type='OptimWrapper', accumulative_counts=3, optimizer=dict(type='SGD', lr=0.1)
    )
    hook = dict(type='ToySignal', iteration=6, number=signal.SIGTERM)
    with pytest.raises(SystemExit):
        toy_train(tmp_path, custom_hooks=[hook], optim_wrapper=wrapper)
    assert (tmp_path / 'within_epoch_iter_9.pth').exists()


def test_what_torchrun_restarts_continues_by_itself(tmp_path, monkeypatch):
    """Without --resume, and not from the checkpoints of a run before this launch."""
    settings = dict(randomness=SEED, checkpoint=dict(minutes=0))
    toy_train(tmp_path, stop=7, **settings)
    ToyWatch.losses = {}
    toy_train(tmp_path, stop=0, **settings)  # another launch
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '1')
    toy_train(tmp_path, stop=2, **settings)
    assert min(ToyWatch.losses) == 0
    ToyWatch.losses = {}
    toy_train(tmp_path, **settings)
    assert min(ToyWatch.losses) == 2
