"""One trial: a training that is killed and resumed until it is through."""

import glob
import os
import os.path as osp
import random
import shutil
import signal
import sys
import time

import torch
from mmengine.config import config as mmengine_config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmdet_eca.commands import main
from tests.tools.test_train import free_port
from tests.training.resuming.toy import EVALUATION, toy_config

KINDS = ('epochs', 'iterations', 'worker')
ENDS = ('SIGKILL', 'SIGKILL one', 'SIGTERM', 'SIGTERM one', 'SIGUSR1')
ITERATIONS = 12
MOST_KILLS, MOST_STARTS = 6, 30
TO_END = 90  # seconds: of a start, or of what is left of it after a kill
# Each checkpoint has the config, which takes yapf longer than an iteration.
mmengine_config.FormatCode = lambda text, **style: (text, True)


@HOOKS.register_module()
class Witness(Hook):
    """Writes a line for each iteration and evaluation, at once, into a file a rank."""

    def __init__(self, folder):
        self.folder = folder

    def _note(self, runner, *words):
        with open(f'{self.folder}/witness_{runner.rank}', 'a') as file:
            file.write(' '.join(map(str, words)) + '\n')

    def before_train(self, runner):
        self._note(runner, 'begin', runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._note(runner, 'loss', runner.iter, outputs['loss'].item().hex())

    def after_val_epoch(self, runner, metrics=None):
        self._note(runner, 'mean', runner.iter, float(metrics['mean']).hex())


def run(seed, folder, references, kind=None, end=None, ranks=None, **settings):
    """Runs a trial; returns its line. Its folder is kept if something is lost.

    Args:
        seed: What everything that is not given is drawn from.
        folder: Where it trains.
        references: What the uninterrupted trainings gave, by kind and ranks.
        kind, end, ranks: One of KINDS, one of ENDS, number of processes.
        settings: Of the config.
    """
    rng = random.Random(seed)
    kind, end = kind or rng.choice(KINDS), end or rng.choice(ENDS)
    ranks = ranks or rng.choice((1, 2))
    if (kind, ranks) not in references:
        reference = Training(f'{folder}_whole', kind, ranks)
        reference.start()
        begin = time.monotonic()
        if reference.wait() != {0}:
            raise RuntimeError(f'without a kill: {reference.text()}')
        references[kind, ranks] = reference.result(), time.monotonic() - begin
        shutil.rmtree(reference.folder)
    wanted, seconds = references[kind, ranks]
    training = Training(folder, kind, ranks, **settings)
    kills, starts, most = 0, 0, rng.randint(1, MOST_KILLS)
    statuses = {None}
    while statuses != {0} and starts < MOST_STARTS:
        starts += 1
        before = training.newest()
        training.start()
        killed = kills < most and training.kill(end, rng, seconds)
        kills += killed
        statuses = training.wait()
        training.check_start(before, end if killed else None, statuses)
    lost = training.lost
    if statuses != {0}:
        lost.append(f'not through after {starts} starts')
    found = training.result()
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

    def __init__(self, folder, kind, ranks, **settings):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.folder, self.work = folder, osp.join(folder, 'work')
        by_epoch = kind != 'iterations'
        per_epoch = 7 if ranks == 1 else 4
        loops = (
            dict(max_epochs=3)
            if by_epoch
            else dict(max_iters=ITERATIONS, val_interval=4)
        )
        self.iterations = 3 * per_epoch if by_epoch else ITERATIONS
        cfg = toy_config(
            self.work,
            randomness=dict(seed=3),
            loader=dict(batch_size=1, num_workers=int(kind == 'worker')),
            train_cfg=dict(by_epoch=by_epoch, **loops),
            checkpoint=dict(
                minutes=0,
                by_epoch=by_epoch,
                interval=1 if by_epoch else 5,
                max_keep_ckpts=1,
                save_best='mean',
                rule='greater',
            ),
            custom_hooks=[
                dict(type='EMAHook', momentum=0.1),
                dict(type='Witness', folder=folder),
            ],
            param_scheduler=dict(
                type='CosineAnnealingLR', T_max=ITERATIONS, by_epoch=False
            ),
            **EVALUATION,
        )
        cfg.merge_from_dict(settings)
        self.config = osp.join(folder, 'config.py')
        cfg.dump(self.config)
        self.ranks = range(ranks)
        self.pids, self.sessions, self.lost = [], [], []

    def start(self):
        """Forks its processes, with --resume."""
        port = str(free_port())
        self.lines = len(self.events())
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
        targets = [rng.choice(self.pids)] if end.endswith('one') else self.pids
        writing, left = rng.random() < 0.5, rng.randint(1, 12)
        until = time.monotonic() + (TO_END if writing else rng.uniform(0, seconds))
        unfinished, was_there = osp.join(self.work, 'checkpoint.tmp'), False
        while time.monotonic() < until and left:
            there = osp.exists(unfinished)
            left -= writing and there and not was_there
            was_there = there
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if any(os.waitid(os.P_PID, pid, options) for pid in self.pids):
                return False
            time.sleep(0.0005)
        for pid in targets:
            os.kill(pid, getattr(signal, end.partition(' ')[0]))
        return True

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
        path = f'{self.folder}/witness_{rank}'
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

    def check_start(self, before, end, statuses):
        """Notes what one start has lost.

        Args:
            before: The iteration of the newest checkpoint before it.
            end: How it was killed, if it was.
            statuses: How its processes have ended.
        """
        for path in glob.glob(osp.join(self.work, '*.pth')):
            try:
                torch.load(path)
            except Exception as error:  # of any kind
                self.lost.append(f'{path} is broken: {error}')
        events = self.events()[self.lines :]
        begin = [int(words[1]) for words in events if words[0] == 'begin']
        if begin and begin[0] < before:
            self.lost.append(f'continued from {begin[0]}, and {before} was written')
        if end is None and statuses != {0}:
            self.lost.append(f'ended with {statuses} by itself: {self.text()[-300:]}')
        done = [int(words[1]) + 1 for words in events if words[0] == 'loss']
        asked = end is not None and not end.startswith('SIGKILL')
        if asked and done and done[-1] < self.iterations:
            if 75 not in statuses and statuses != {0}:
                self.lost.append(f'ended with {statuses} at a signal')
            if done[-1] > self.newest():
                self.lost.append(f'{done[-1]} done, checkpoint of {self.newest()}')
        if 'Traceback' in self.text():
            self.lost.append(f'traceback: {self.text()[-300:]}')

    def result(self):
        """Losses and figures by rank and iteration, and the last checkpoint."""
        found = {
            f'{rank} {words[0]} {words[1]}': words[2]
            for rank in self.ranks
            for words in self.events(rank)
            if words[0] != 'begin'
        }
        paths = glob.glob(osp.join(self.work, '[ei]*.pth'))
        if paths:  # only the last one is kept
            checkpoint = torch.load(max(paths, key=os.path.getmtime))
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
