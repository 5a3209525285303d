"""The same in two processes, which torchrun starts."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.conftest import ONE_THREAD, ROOT, run
from tests.tools.test_train import free_port
from tests.training.resuming.runs import logged
from tests.training.resuming.toy import EVALUATION, toy_config

MODULES = [f'tests.training.resuming.{name}' for name in ('toy', 'test_processes')]


@HOOKS.register_module()
class ToyAccident(Hook):
    """Kills the second process, the first time that torchrun has started it."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if (
            runner.rank == 1
            and runner.iter == 5
            and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0'
        ):
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class ToyPause(Hook):
    """Shows that an iteration has begun, and makes it last."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            if runner.rank == 0:  # the one that writes checkpoints
                open(f'{runner.work_dir}/started', 'w').close()
            time.sleep(5)


@HOOKS.register_module()
class ToyEvaluationSignal(Hook):
    """Sends a signal to one of two processes in an evaluation, while the other one has
    done its part and waits for the results."""

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.rank == 0 and runner.epoch == 2:
            time.sleep(2)
            os.kill(os.getpid(), signal.SIGTERM)


def command(work_dir, *hooks, **settings):
    """The arguments of dist_train.sh for three epochs of four iterations each."""
    work_dir.mkdir()
    config = toy_config(
        work_dir,
        randomness=dict(seed=3),
        loader=dict(batch_size=1),
        checkpoint=dict(minutes=0),
        custom_hooks=list(hooks),
        log_level='INFO',
        **settings,
    )
    config.default_hooks.logger = dict(type='LoggerHook', interval=1)
    config.custom_imports = dict(imports=MODULES)
    config.dump(work_dir / 'config.py')
    return f'{ROOT}/tools/dist_train.sh', work_dir / 'config.py', 2


def variables(**more):
    return dict(PORT=str(free_port()), PYTHONPATH=ROOT, **more)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('processes') / 'whole'
    run(*command(folder), **variables())
    assert list(logged(folder)) == list(range(1, 13))
    return folder


def assert_same(folder, whole):
    assert logged(folder) == logged(whole)
    one, other = (torch.load(path / 'epoch_3.pth') for path in (folder, whole))
    for name, value in one['state_dict'].items():
        assert torch.equal(value, other['state_dict'][name]), name


@pytest.mark.slow
def test_torchrun_starts_a_killed_one_again(whole, tmp_path):
    hook = dict(type='ToyAccident')
    folder = tmp_path / 'killed'
    done = run(*command(folder, hook), **variables(MAX_RESTARTS='1'))
    assert 'resumed epoch: 1, iter: 5' in done.stdout
    assert_same(folder, whole)


@pytest.mark.slow
def test_a_killed_process_is_named_within_a_minute(tmp_path):
    hook = dict(type='ToyAccident')
    begin = time.monotonic()
    done = run(*command(tmp_path / 'killed', hook), check=False, **variables())
    assert 'error: rank 1 was killed by SIGKILL' in done.stderr
    assert done.returncode == 1
    assert time.monotonic() - begin < 120  # with the start of two processes


@contextmanager
def started(folder, tmp_path):
    """A launcher whose processes are in their sixth iteration; what they print."""
    words = [str(word) for word in command(folder, dict(type='ToyPause'))]
    path = f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}'
    environment = {**os.environ, **ONE_THREAD, **variables(PATH=path)}
    with open(tmp_path / 'output', 'w') as output:
        launcher = subprocess.Popen(
            words, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
        )
        while not (folder / 'started').exists():
            assert launcher.poll() is None
            time.sleep(0.1)
        yield launcher, tmp_path / 'output'
    os.remove(folder / 'started')
    run(*words, '--resume', **variables())


@pytest.mark.slow
def test_a_signal_to_the_launcher(whole, tmp_path):
    folder = tmp_path / 'interrupted'
    with started(folder, tmp_path) as (launcher, output):
        launcher.send_signal(signal.SIGUSR1)
        assert launcher.wait(timeout=60) == 75
        assert 'ends with status 75 at SIGTERM' in output.read_text()
    assert_same(folder, whole)


@pytest.mark.slow
def test_a_launcher_that_is_killed(whole, tmp_path):
    """The store in which its processes agree ends with it: the first one writes a
    checkpoint, and none lives on."""
    folder = tmp_path / 'interrupted'
    with started(folder, tmp_path) as (launcher, output):
        launcher.kill()
        launcher.wait()
        end = time.monotonic() + 60
        while running(folder) and time.monotonic() < end:
            time.sleep(0.5)
        assert not running(folder)
        assert 'Traceback' not in output.read_text()
        (path,) = folder.glob('within_epoch_iter_*.pth')
        assert torch.load(path)['meta']['iter'] >= 6
    assert_same(folder, whole)


def running(folder):
    """The processes that train there."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with suppress(OSError):
            if str(folder) in path.read_text():
                found.append(path)
    return found


@HOOKS.register_module()
class ToySignalToOne(Hook):
    """Sends SIGTERM to one of two processes."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.rank == 1 and runner.iter == 5:
            os.kill(os.getpid(), signal.SIGTERM)


def interrupted(folder, hook, **settings):
    """A run that a hook ends; returns the arguments that train without it."""
    words = command(folder, hook, **settings)
    done = run(*words, check=False, **variables())
    assert done.returncode == 75, done.stderr
    assert 'ends with status 75 at SIGTERM' in done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr
    config = Config.fromfile(folder / 'config.py')
    config.custom_hooks = []
    config.dump(folder / 'config.py')
    return words


@pytest.mark.slow
def test_a_signal_to_one_process_ends_both(whole, tmp_path):
    """After the same iteration, and with a checkpoint of it."""
    folder = tmp_path / 'interrupted'
    words = interrupted(folder, dict(type='ToySignalToOne'))
    (path,) = folder.glob('within_epoch_iter_*.pth')
    last = torch.load(path)['meta']['iter']
    assert 6 <= last <= 8 and max(logged(folder)) == last
    run(*words, '--resume', **variables())
    assert_same(folder, whole)


@pytest.mark.slow
def test_a_signal_to_one_process_in_an_evaluation(whole, tmp_path):
    """The others do not wait for it, and nothing is lost."""
    folder = tmp_path / 'interrupted'
    words = interrupted(folder, dict(type='ToyEvaluationSignal'), **EVALUATION)
    run(*words, '--resume', **variables())
    assert_same(folder, whole)
