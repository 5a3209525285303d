"""Whatever happens while one is written, there is a whole one to continue from."""

import errno
import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmdet_eca import UserError
from tests.training.resuming.toy import ToyWatch, toy_losses, toy_train

SEED = dict(seed=3)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return toy_losses(tmp_path_factory.mktemp('whole'), randomness=SEED)


@pytest.fixture
def killed(tmp_path):
    """A run that was killed in its third epoch of 4 iterations, after a checkpoint of
    each epoch and one of iteration 9."""
    ToyWatch.losses = {}
    toy_train(tmp_path, stop=9, randomness=SEED, checkpoint=dict(minutes=0))
    return tmp_path


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def newest(folder):
    return folder / 'within_epoch_iter_9.pth'


@pytest.mark.parametrize(
    ('harm', 'iteration'),
    [
        (lambda folder: None, 9),
        (lambda folder: cut(newest(folder)), 8),
        (lambda folder: (cut(newest(folder)), cut(folder / 'epoch_2.pth')), 4),
        (lambda folder: (folder / 'last_checkpoint').unlink(), 9),
        (lambda folder: (folder / 'last_checkpoint').write_bytes(b'\xff\0'), 9),
        (lambda folder: (folder / 'last_checkpoint').write_text('epoch_2.pth'), 8),
        (lambda folder: [path.unlink() for path in folder.glob('*.pth')], 0),
    ],
)
def test_the_newest_whole_one_is_found(killed, harm, iteration, whole):
    harm(killed)
    ToyWatch.losses = {}
    toy_train(killed, resume=True, randomness=SEED)
    assert ToyWatch.losses == {i: whole[i] for i in range(iteration, 12)}


def test_a_training_does_not_start_from_scratch_because_all_are_damaged(killed):
    for path in killed.glob('*.pth'):
        cut(path)
    with pytest.raises(UserError, match=r'within_epoch_iter_9.pth .*--resume'):
        toy_train(killed, resume=True, randomness=SEED)
    assert len(list(killed.glob('*.pth'))) == 3  # as they were


def test_the_code_that_a_checkpoint_brings_is_not_run(killed):
    """mmengine would read the text in ``meta.config`` as a config, which is code."""
    checkpoint = torch.load(newest(killed))
    checkpoint['meta']['config'] = f"open('{killed}/ran', 'w').close()"
    torch.save(checkpoint, newest(killed))
    load_from = dict(resume=True, load_from=str(newest(killed)))
    with pytest.raises(UserError, match=r'meta\.config'):
        toy_train(killed, randomness=SEED, **load_from)
    assert not (killed / 'ran').exists()


def test_files_of_an_earlier_run_are_not_newer(killed):
    """The folder was used again: its new run has come to its first epoch only."""
    toy_train(killed, stop=5, randomness=SEED)
    ToyWatch.losses = {}
    toy_train(killed, resume=True, randomness=SEED)
    assert min(ToyWatch.losses) == 4


def test_a_full_disk_leaves_the_old_ones_and_the_training(tmp_path, whole, monkeypatch):
    """From the second epoch to the end no checkpoint of the third can be written."""
    written = []

    def fsync(opened, sync=os.fsync):
        path = os.readlink(f'/proc/self/fd/{opened}')
        if path.endswith('/checkpoint.tmp'):
            written.append(path)
            if len(written) > 2:
                raise OSError(errno.ENOSPC, 'No space left on device')
        sync(opened)

    monkeypatch.setattr(os, 'fsync', fsync)
    losses = toy_losses(tmp_path, randomness=SEED, checkpoint=dict(max_keep_ckpts=1))
    assert losses == whole
    assert [path.name for path in tmp_path.glob('*.pth*')] == ['epoch_2.pth']
    assert not list(tmp_path.glob('*.tmp'))
    (path,) = tmp_path.glob('*/*.log')
    assert re.search(r'ERROR - .*No space', path.read_text())
    (tmp_path / 'last_checkpoint').write_text('')  # emptied, and not written
    monkeypatch.undo()
    ToyWatch.losses = {}
    toy_train(tmp_path, resume=True, randomness=SEED)
    assert ToyWatch.losses == {i: whole[i] for i in range(8, 12)}


@HOOKS.register_module()
class ToyNoRoom(Hook):
    """Puts the device that is always full in the place of the file of logged losses."""

    def before_train(self, runner):
        (folder,) = Path(runner.work_dir).glob('*/vis_data')
        (folder / 'scalars.json').symlink_to('/dev/full')


def test_a_full_disk_for_what_is_logged(tmp_path, whole):
    hooks = [dict(type='ToyWatch'), dict(type='ToyNoRoom')]
    logger = dict(type='LoggerHook', interval=1)
    default = dict(logger=logger, checkpoint=dict(type='CheckpointHook', interval=1))
    settings = dict(custom_hooks=hooks, default_hooks=default, randomness=SEED)
    assert toy_losses(tmp_path, **settings) == whole
    (path,) = tmp_path.glob('*/*.log')
    assert 'what is logged could not be written: [Errno 28]' in path.read_text()


def test_an_old_one_is_removed_after_the_new_one_is_written(tmp_path, monkeypatch):
    """Of every kind: at each removal, the pointer leads to a file that is whole."""
    removed = []

    def remove(path, remove=os.remove):
        if str(path).endswith('.pth'):
            target = Path((tmp_path / 'last_checkpoint').read_text())
            assert torch.load(target)['meta']['iter'] > 0 and target != Path(path)
            removed.append(Path(path).name)
        remove(path)

    monkeypatch.setattr(os, 'remove', remove)
    toy_train(tmp_path, checkpoint=dict(max_keep_ckpts=1, minutes=0))
    within = [f'within_epoch_iter_{i}.pth' for i in range(1, 13)]
    assert sorted(removed) == sorted([*within, 'epoch_1.pth', 'epoch_2.pth'])
    assert [path.name for path in tmp_path.glob('*.pth*')] == ['epoch_3.pth']


def test_not_while_gradients_accumulate(tmp_path):
    """Of two iterations each: checkpoints come after the second of them only."""
    wrapper = dict(
        type='OptimWrapper', accumulative_counts=2, optimizer=dict(type='SGD', lr=0.1)
    )
    settings = dict(optim_wrapper=wrapper, randomness=SEED)
    whole = toy_losses(tmp_path / 'whole', **settings)
    ToyWatch.losses = {}
    folder = tmp_path / 'killed'
    toy_train(folder, stop=7, checkpoint=dict(minutes=0), **settings)
    names = sorted(path.name for path in folder.glob('*.pth'))
    assert names == ['epoch_1.pth', 'within_epoch_iter_6.pth']
    toy_train(folder, resume=True, **settings)
    assert ToyWatch.losses == whole
