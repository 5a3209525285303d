"""Whatever happens while one is written, there is a whole one to go on from."""

import errno
import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmdet_eca import UserError
from mmdet_eca.engine.resuming import ResumableRunner
from tests.engine.resuming.toy import ToyWatch, toy_config, toy_losses, toy_train

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
        (lambda folder: newest(folder).unlink(), 8),
        (lambda folder: (cut(newest(folder)), cut(folder / 'epoch_2.pth')), 4),
        (lambda folder: (folder / 'last_checkpoint').unlink(), 9),
        (lambda folder: (folder / 'last_checkpoint').write_text(''), 9),
        (lambda folder: (folder / 'last_checkpoint').write_bytes(b'\xff\0'), 9),
        (lambda folder: (folder / 'last_checkpoint').write_text('/none.pth'), 9),
        (lambda folder: (folder / 'last_checkpoint').write_text('epoch_2.pth'), 9),
        (lambda folder: torch.save({'a': 1}, folder / 'epoch_9.pth'), 9),
        (lambda folder: [path.unlink() for path in folder.glob('*.pth')], 0),
    ],
)
def test_the_newest_whole_one_is_found(killed, harm, iteration, whole):
    harm(killed)
    ToyWatch.losses = {}
    toy_train(killed, resume=True, randomness=SEED)
    assert ToyWatch.losses == {i: whole[i] for i in range(iteration, 12)}


def test_a_training_does_not_start_anew_because_all_are_damaged(killed):
    for path in killed.glob('*.pth'):
        cut(path)
    message = (
        'within_epoch_iter_9.pth is cut off.* has no other checkpoint to go on from'
    )
    with pytest.raises(UserError, match=message):
        toy_train(killed, resume=True, randomness=SEED)
    assert len(list(killed.glob('*.pth'))) == 3  # as they were


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
    assert (tmp_path / 'last_checkpoint').read_text() == f'{tmp_path}/epoch_2.pth'
    (path,) = tmp_path.glob('*/*.log')
    assert re.search(r'ERROR - .*epoch_3.pth could not be .*No space', path.read_text())


@HOOKS.register_module()
class ToyNoRoom(Hook):
    """Puts the device that is always full in the place of the file of logged losses."""

    def before_train(self, runner):
        (folder,) = Path(runner.work_dir).glob('*/vis_data')
        (folder / 'scalars.json').symlink_to('/dev/full')


def test_a_full_disk_for_what_is_logged(tmp_path, whole):
    hooks = [dict(type='ToyWatch'), dict(type='ToyNoRoom')]
    logger = dict(type='LoggerHook', interval=1)
    default = dict(
        logger=logger, checkpoint=dict(type='CheckpointHook', minutes=None, interval=1)
    )
    settings = dict(custom_hooks=hooks, default_hooks=default, randomness=SEED)
    assert toy_losses(tmp_path, **settings) == whole
    (path,) = tmp_path.glob('*/*.log')
    text = path.read_text()
    assert text.count('what is logged could not be written: [Errno 28] No space') == 1


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
    epochs = ['epoch_1.pth', 'epoch_2.pth']
    assert sorted(removed) == sorted(within + epochs)
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


def test_what_a_kill_prevented_from_being_removed_is_removed(tmp_path, monkeypatch):
    """Every removal is put off until the process is dead: the resumed run, which has
    nothing left to train, leaves what the uninterrupted one leaves."""
    settings = dict(checkpoint=dict(max_keep_ckpts=1, minutes=0), randomness=SEED)
    remove = os.remove
    with monkeypatch.context() as patch:
        patch.setattr(os, 'remove', lambda path: None)
        toy_train(tmp_path, **settings)
    for name in ('checkpoint.tmp', 'last_checkpoint.tmp'):
        (tmp_path / name).write_text('unfinished')
    for path in tmp_path.glob('*.pth'):  # of removals that came in time
        if path.name in ('epoch_1.pth', 'within_epoch_iter_4.pth'):
            remove(path)
    assert len(list(tmp_path.glob('*.pth'))) == 13
    toy_train(tmp_path, resume=True, **settings)
    left = [path.name for path in tmp_path.iterdir() if path.suffix != '.py']
    assert {'epoch_3.pth', 'last_checkpoint'} == {n for n in left if '_' in n[:6]}


def test_the_config_of_a_run_stays_whole(tmp_path, monkeypatch):
    """A run that has been started by the file in its folder is killed while it writes
    the file anew."""
    path = tmp_path / 'config.py'
    toy_config(tmp_path).dump(path)
    text = path.read_text()

    def stop(opened):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', stop)
    with pytest.raises(KeyboardInterrupt):
        ResumableRunner.from_cfg(Config.fromfile(path))
    assert path.read_text() == text


def test_the_pointer_never_leads_to_what_is_removed(killed):
    """A run was killed before it wrote the pointer to its newest checkpoint; the next
    goes on from that one, removes the older one, and is killed too."""
    settings = dict(resume=True, randomness=SEED, stop=10)
    older = newest(killed)
    content, pointer = older.read_bytes(), (killed / 'last_checkpoint').read_text()
    toy_train(killed, checkpoint=dict(minutes=0), **settings)
    older.write_bytes(content)
    os.utime(older, (0, 0))
    (killed / 'last_checkpoint').write_text(pointer)
    toy_train(killed, **settings)
    assert not older.exists()
    target = (killed / 'last_checkpoint').read_text()
    assert target == str(killed / 'within_epoch_iter_10.pth')
