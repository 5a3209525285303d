"""Starts a training: forked from this process, or by a user's command."""

import atexit
import contextlib
import os
import os.path as osp
import subprocess
import sys
import time
import traceback
from signal import SIG_DFL, SIGKILL, SIGTERM, signal

from mmdet_eca.commands import main
from mmdet_eca.engine.launcher import GRACE
from tests.chaos import witness
from tests.chaos.processes import children
from tests.conftest import ONE_THREAD, ROOT
from tests.tools.test_train import free_port

# Seconds that the others have to end by themselves when one has failed: torchrun gives
# none, so that it would not be seen whether they do.
PATIENCE = 2
NEEDED_SIGKILL = 'needed SIGKILL'


class Start:
    """A training that runs.

    Args:
        scenario: Which kind of training.
        words: Of the command ``train``.
        folder: Of the trial.
        number: How many starts were before it.
        full: When the disk is full, see witness.FULL.
    """

    def __init__(self, scenario, words, folder, number, full):
        self.output = osp.join(folder, f'output_{number:03}.txt')
        self.scenario = scenario
        self.known_ranks = set()
        self.number = number
        self.begin = time.time()
        self.ranks_path = osp.join(folder, 'ranks')
        variables = {witness.START: str(number), witness.FULL: full}
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.ranks_path)
        if scenario.command == 'fork':
            body = _rank if scenario.processes == 1 else _launch
            self.pid = _fork(body, self.output, words, variables, self.ranks_path)
        else:
            self.pid = _start(scenario, words, variables, self.output)

    def ranks(self):
        """The ids of the processes that train, as far as they have been started."""
        ranks = []
        if self.scenario.processes == 1:
            ranks = [self.pid]
        elif self.scenario.command != 'fork':
            ranks = sorted(children(self.pid))
        else:
            with contextlib.suppress(FileNotFoundError), open(self.ranks_path) as file:
                ranks = [int(word) for word in file.read().split()]
        self.known_ranks.update(ranks)
        return ranks

    def workers(self):
        """The ids of the workers of data loaders."""
        return [pid for rank in self.ranks() for pid in children(rank)]

    def text(self):
        with open(self.output, errors='replace') as file:
            return file.read()


def _fork(body, output, words, variables, ranks_path):
    sys.stdout.flush()
    sys.stderr.flush()
    # Before the fork: the new process may be killed before it comes to it.
    opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pid = os.fork()
    if pid:
        os.close(opened)
        return pid
    signal(SIGTERM, SIG_DFL)  # not as this process does
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.environ.update(variables)
    os.chdir(osp.dirname(output))  # where mmengine collects predictions
    os._exit(body(words, ranks_path))


def _rank(words, _):
    """Trains as ``mmdet-eca train`` does, and returns the exit status."""
    status = 0
    try:
        main(['train', *words])
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


def _launch(words, ranks_path):
    """Starts two ranks as torchrun does, and waits for both of them to end."""
    os.environ.update(
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(free_port()),
        TORCHELASTIC_RUN_ID='chaos',
        MMDET_ECA_LAUNCHER=str(os.getpid()),
    )
    ranks = []
    for rank in range(2):
        pid = os.fork()
        if pid == 0:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
            os._exit(_rank([*words, '--launcher', 'pytorch'], None))
        ranks.append(pid)
    with open(f'{ranks_path}.tmp', 'w') as file:
        file.write(' '.join(map(str, ranks)))
    os.replace(f'{ranks_path}.tmp', ranks_path)
    return _wait_for_ranks(ranks)


def _wait_for_ranks(ranks):
    """Sends SIGTERM to the others when one has failed, and SIGKILL later."""
    left, status, failed_at = set(ranks), 0, None
    while left:
        pid, code = os.waitpid(-1, os.WNOHANG)
        if pid:
            left.discard(pid)
            code = os.waitstatus_to_exitcode(code)
            status = status or code
            if code and failed_at is None:
                failed_at = time.monotonic()
        for number, wait in ((SIGTERM, PATIENCE), (SIGKILL, PATIENCE + GRACE)):
            if failed_at is not None and time.monotonic() - failed_at > wait:
                for pid in left:
                    os.kill(pid, number)
                if number == SIGKILL and left:
                    print(f'{NEEDED_SIGKILL}: {left}')
                    time.sleep(1)
        time.sleep(0.002)
    return status if status >= 0 else 1


def _start(scenario, words, variables, output):
    """Starts tools/train.py or tools/dist_train.sh."""
    variables = {
        **os.environ,
        **ONE_THREAD,
        **variables,
        'CUDA_VISIBLE_DEVICES': '-1',
        'PATH': osp.dirname(sys.executable) + os.pathsep + os.environ['PATH'],
        'PYTHONPATH': ROOT,
        'PORT': str(free_port()),
        'MAX_RESTARTS': str(scenario.restarts),
    }
    tool = f'{ROOT}/tools/{scenario.command}'
    config, *others = words
    command = (
        [sys.executable, tool, config]
        if scenario.processes == 1
        else [tool, config, str(scenario.processes)]
    )
    with open(output, 'ab') as file:
        return subprocess.Popen(
            [*command, *others],
            env=variables,
            stdout=file,
            stderr=file,
            cwd=osp.dirname(output),
            start_new_session=True,
        ).pid
