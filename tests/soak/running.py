"""Runs the harness until its time is done."""

import contextlib
import ctypes
import json
import os
import os.path as osp
import signal
import subprocess
import sys
import time

from tqdm import tqdm

from tests.soak.lines import read_lines
from tests.soak.machine import ROOT, commit
from tests.soak.report import count_lost, summary, write_report

PARTS = {'chaos': [sys.executable, '-m', 'tests.chaos']}
PAUSE = 5  # seconds between two reports
MOST_ENDS = 20  # of a harness that ends too early, which is a mistake in it
# One core each. The processes that chaos forks from may have no other threads.
VARIABLES = dict.fromkeys(
    ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), '1'
)


class Part:
    """A harness that runs in a process of its own.

    Args:
        name: Of its file, and of what it prints.
        words: Its command.
        folder: Of these.
    """

    def __init__(self, name, words, folder):
        self.path = osp.join(folder, f'{name}.jsonl')
        self.printed = osp.join(folder, f'{name}.log')
        self.words = words
        self.process = None
        self.ends = []  # statuses, when it ended too early

    def keep_running(self, seconds):
        """Starts it if it does not run."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            self.ends.append(self.process.returncode)
        if len(self.ends) > MOST_ENDS:
            return
        with open(self.printed, 'ab') as file:
            self.process = subprocess.Popen(
                [*self.words, '--minutes', f'{seconds / 60:.3f}', '--out', self.path],
                env={**os.environ, **VARIABLES, 'CUDA_VISIBLE_DEVICES': '-1'},
                stdout=file,
                stderr=file,
                cwd=ROOT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509, there are no threads
            )

    def end(self, wait):
        """Waits for the end of its trial, and then ends it."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(wait)
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def run(minutes, folder, parts=None):
    """Runs until the time is done, with what earlier runs have done of it.

    Returns:
        How much was lost.
    """
    folder = osp.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    state = _take_up(folder, list(parts or PARTS))
    running = [Part(name, words, folder) for name, words in (parts or PARTS).items()]
    total = 60 * minutes
    tqdm.monitor_interval = 0  # no thread
    bar = tqdm(total=round(total), initial=round(state['seconds']), unit='s')
    begin = time.monotonic() - state['seconds']
    wait = 0  # if it is interrupted
    try:
        while state['seconds'] < total:
            for part in running:
                part.keep_running(total - state['seconds'])
            time.sleep(min(PAUSE, total - state['seconds']))
            state['seconds'] = time.monotonic() - begin
            _report(folder, state, running)
            bar.set_postfix_str(summary(*_lines(running)))
            bar.update(round(min(state['seconds'], total)) - bar.n)
        wait = 600
    finally:
        for part in running:
            part.end(wait)
        _report(folder, state, running)
        bar.close()
    return count_lost(*_lines(running)) + state['ends']


def _take_up(folder, names):
    """What an earlier run of this commit has done; another's lines are put aside."""
    path, now = osp.join(folder, 'state.json'), commit()
    state = dict(commit=now, seconds=0.0, ends=0)
    if osp.exists(path):
        with open(path) as file:
            earlier = json.load(file)
        if earlier['commit'] == now:
            return earlier
        before = earlier['commit']
        print(f'{folder} has lines of commit {before}, and this is {now}: new files')
        for name in [*(f'{name}.jsonl' for name in names), 'report.md']:
            if osp.exists(osp.join(folder, name)):
                aside = f'{before}_{name}'
                os.replace(osp.join(folder, name), osp.join(folder, aside))
    return state


def _report(folder, state, running):
    early = {osp.basename(part.path): part.ends for part in running if part.ends}
    state['ends'] = max(state['ends'], sum(map(len, early.values())))
    whole = osp.join(folder, 'state.json')
    with open(f'{whole}.tmp', 'w') as file:
        json.dump(state, file)
    os.replace(f'{whole}.tmp', whole)
    write_report(osp.join(folder, 'report.md'), state, *_lines(running))


def _lines(running):
    return [read_lines(part.path) for part in running]


def _end_with_parent():
    """Asks Linux for SIGTERM when the soak is killed."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
