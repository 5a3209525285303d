"""One trial: a training that is killed and resumed until it is through."""

import glob
import os
import os.path as osp
import random
import re
import shutil
import signal
import sys
import time

import torch
from mmengine.config import config as mmengine_config

from mmdet_eca.commands import main
from tests.soak.training import KINDS, write_config
from tests.tools.test_train import free_port

ENDS = ('SIGKILL', 'SIGKILL one', 'SIGTERM', 'SIGTERM one', 'SIGUSR1', 'disk full')
MOST_KILLS, MOST_STARTS = 6, 30
# Each checkpoint has the config, which takes yapf longer than an iteration.
mmengine_config.FormatCode = lambda text, **style: (text, True)
TO_END = 90  # seconds: of a start, or of what is left of it after a kill


def run(seed, folder, coco, references, kind=None, end=None, ranks=None, **settings):
    """Runs a trial; returns its line. Its folder is kept if something is lost.

    Args:
        seed: What everything that is not given is drawn from.
        folder: Where it trains.
        coco: A folder as COCO's.
        references: What the uninterrupted trainings gave, by kind and ranks.
        kind, end, ranks: One of KINDS, one of ENDS, number of processes.
        settings: Of the config.
    """
    rng = random.Random(seed)
    kind = kind or rng.choices(KINDS, (4, 4, 1, 1))[0]
    end = end or rng.choice(ENDS)
    ranks = ranks or rng.choice((1, 2))
    if (kind, ranks) not in references:
        reference = Training(f'{folder}_whole', kind, ranks, coco)
        reference.start()
        begin = time.monotonic()
        if reference.wait() != {0}:
            raise RuntimeError(f'without a kill: {reference.text()}')
        seconds = time.monotonic() - begin
        references[kind, ranks] = reference.result(), seconds
        shutil.rmtree(reference.folder)
    wanted, seconds = references[kind, ranks]
    total = sum(name.startswith('0 loss') for name in wanted)
    full = 0.3 if end == 'disk full' else 0.0
    training = Training(folder, kind, ranks, coco, full=full, **settings)
    kills, starts, lost = 0, 0, []
    most = rng.randint(1, MOST_KILLS)
    statuses = {None}
    while statuses != {0} and starts < MOST_STARTS:
        starts += 1
        before = training.newest()
        training.start()
        killed = kills < most and training.kill(end, rng, seconds)
        kills += killed
        statuses = training.wait()
        lost += training.check_start(before, end if killed else None, statuses, total)
    if statuses != {0}:
        lost.append(f'not through after {starts} starts')
    found = training.result()
    lost += training.lost
    lost += [name for name in wanted if found.get(name) != wanted[name]]
    if training.left():
        lost.append('a process or an unfinished file is left')
    if not lost:
        shutil.rmtree(folder)
    return dict(
        seed=seed,
        kind=kind,
        end=end,
        ranks=ranks,
        kills=kills,
        starts=starts,
        lost=lost,
    )


class Training:
    """A training in forked processes, each of them in a session of its own."""

    def __init__(self, folder, kind, ranks, coco, **settings):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.folder, self.work = folder, osp.join(folder, 'work')
        self.config = write_config(folder, kind, coco=coco, **settings)
        self.ranks = range(ranks)
        self.pids, self.sessions, self.lost = [], [], []

    def start(self):
        """Forks its processes, with --resume."""
        port = str(free_port())
        self.lines = {rank: len(self.events(rank)) for rank in self.ranks}
        sys.stdout.flush()
        self.pids = []
        for rank in self.ranks:
            pid = os.fork()
            if not pid:
                self._train(rank, port)
            self.pids.append(pid)
        self.sessions += self.pids

    def _train(self, rank, port):
        status = 1
        try:
            os.setsid()
            output = os.open(
                f'{self.folder}/output', os.O_WRONLY | os.O_CREAT | os.O_APPEND
            )
            os.dup2(output, 1)
            os.dup2(output, 2)
            words = ['train', self.config, '--resume']
            if len(self.ranks) > 1:
                os.environ.update(
                    RANK=str(rank),
                    LOCAL_RANK=str(rank),
                    WORLD_SIZE=str(len(self.ranks)),
                    MASTER_ADDR='127.0.0.1',
                    MASTER_PORT=port,
                )
                words += ['--launcher', 'pytorch']
            main(words)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
            print(error.code, flush=True)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            os._exit(status)

    def kill(self, end, rng, seconds):
        """Sends the signal at a random moment, often while a checkpoint is written.

        Returns:
            Whether a process was still there to get it.
        """
        number = getattr(signal, end.partition(' ')[0], signal.SIGKILL)
        targets = [rng.choice(self.pids)] if end.endswith('one') else self.pids
        writing = rng.random() < 0.5
        left = rng.randint(1, 12)
        until = time.monotonic() + (TO_END if writing else rng.uniform(0, seconds))
        unfinished, was_there = osp.join(self.work, 'checkpoint.tmp'), False
        while time.monotonic() < until and left:
            there = osp.exists(unfinished)
            left -= writing and there and not was_there
            was_there = there
            if any(self._has_ended(pid) for pid in self.pids):
                return False
            time.sleep(0.0005)
        for pid in targets:
            os.kill(pid, number)
        return True

    def _has_ended(self, pid):
        return (
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        )

    def wait(self):
        """Waits for all, as torchrun does; returns how they have ended."""
        statuses, until = {}, time.monotonic() + TO_END
        others_told = False
        while len(statuses) < len(self.pids):
            for pid in set(self.pids) - set(statuses):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    statuses[pid] = os.waitstatus_to_exitcode(status)
            if any(statuses.values()) and not others_told:
                self._send(signal.SIGTERM, statuses)
                others_told, until = True, time.monotonic() + 30
            if time.monotonic() > until:
                self._send(signal.SIGKILL, statuses)
                until = float('inf')
                self.lost.append('a process does not end')
            time.sleep(0.001)
        return set(statuses.values())

    def _send(self, number, statuses):
        for pid in set(self.pids) - set(statuses):
            os.kill(pid, number)

    def events(self, rank=0):
        """What the witness has written: words."""
        path = f'{self.folder}/witness/{rank}'
        if not osp.exists(path):
            return []
        with open(path) as file:
            return [line.split() for line in file if line.endswith('\n')]

    def text(self):
        with open(f'{self.folder}/output') as file:
            return file.read()

    def newest(self):
        """The iteration of the checkpoint that last_checkpoint points to, or 0."""
        pointer = osp.join(self.work, 'last_checkpoint')
        if osp.exists(pointer):
            with open(pointer) as file:
                path = file.read()
            if osp.isfile(path):
                return torch.load(path)['meta']['iter']
        return 0

    def check_start(self, before, end, statuses, total):
        """What one start has lost, as texts.

        Args:
            before: The iteration of the newest checkpoint before it.
            end: How it was killed, if it was.
            statuses: How its processes have ended.
            total: The iterations of the training.
        """
        lost = []
        for path in glob.glob(osp.join(self.work, '*.pth')):
            try:
                torch.load(path)
            except Exception as error:  # of any kind
                lost.append(f'{path} is broken: {error}')
        events = self.events()[self.lines[0] :]
        begin = [int(words[1]) for words in events if words[0] == 'begin']
        if begin and begin[0] < before:
            lost.append(f'continued from {begin[0]}, and {before} had been written')
        if end is None and statuses != {0}:
            lost.append(f'ended with {statuses} by itself: {self.text()[-300:]}')
        done = [int(words[1]) + 1 for words in events if words[0] == 'loss']
        if end in ('SIGTERM', 'SIGTERM one', 'SIGUSR1') and done and done[-1] < total:
            if 75 not in statuses and statuses != {0}:
                lost.append(f'ended with {statuses} at a signal')
            if done[-1] > self.newest():
                lost.append(f'{done[-1]} iterations, checkpoint of {self.newest()}')
        text = self.text()  # logging has tracebacks of a full disk
        if text.count('Traceback') > text.count('--- Logging error ---'):
            lost.append(f'traceback: {text[-300:]}')
        return lost

    def result(self):
        """Losses and figures by rank and iteration, and the last checkpoint."""
        found = {
            f'{rank} {words[0]} {words[1]}': words[2]
            for rank in self.ranks
            for words in self.events(rank)
            if words[0] != 'begin'
        }
        paths = glob.glob(osp.join(self.work, '[ei]*.pth'))
        if paths:
            last = max(
                paths, key=lambda path: int(re.sub(r'\D', '', osp.basename(path)))
            )
            checkpoint = torch.load(last)
            for part in (
                'state_dict',
                'ema_state_dict',
                'optimizer',
                'param_schedulers',
            ):
                found[part] = _numbers(checkpoint.get(part))
        return found

    def left(self):
        """Whether a process lives on after 20 seconds, or a file is unfinished."""
        until = time.monotonic() + 20  # torch's workers look for their parent every 5
        while _has_process(self.sessions) and time.monotonic() < until:
            time.sleep(0.1)
        unfinished = glob.glob(osp.join(self.work, '*.tmp'))
        return _has_process(self.sessions) or bool(unfinished)


def _has_process(sessions):
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(path) as file:
                state, _, _, session, *_ = file.read().rpartition(')')[2].split()
        except OSError:  # it has just ended
            continue
        if int(session) in sessions and state != 'Z':
            return True
    return False


def _numbers(part):
    """All numbers at any depth, exactly."""
    if isinstance(part, dict):
        return {str(key): _numbers(value) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_numbers(value) for value in part]
    if isinstance(part, torch.Tensor):
        return part.numpy().tobytes()
    return part if isinstance(part, (int, float)) else None
