"""Trains what is missing on the digits, several runs side by side."""

import contextlib
import os
import os.path as osp
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ...errors import UserError
from .evaluation import data_commands, read_small_run
from .plan import Key, make_small_plan, next_step
from .records import Record, as_record, keep, keep_results, work_dir_of
from .rows import small_rows

OUTPUT = 'output.txt'  # in the work directory, what a run prints


@dataclass
class _Job:
    """A process of a run; ``begun`` is when the first of this run began."""

    key: Key
    process: 'subprocess.Popen[bytes]'
    tool: str
    begun: float


def run_small(
    work_dirs: str,
    results: str,
    jobs: int = 1,
    names: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    output: IO[str] | None = None,
) -> list[dict[str, Any]]:
    """Trains and evaluates what the plan lists, and keeps the results.

    Stopped at any point, the same call goes on there. A run that fails does not keep
    the others from running, except those that start from its weights.

    Args:
        work_dirs (str): Folder of the work directories.
        results (str): Folder of the results; each is written as it comes.
        jobs (int): How many runs at a time. Several have a thread each.
        names (Sequence[str]): Only these rows; all if empty.
        seeds (Sequence[int], optional): Only these seeds.
        output (file, optional): Where the progress goes.

    Returns:
        list[dict]: As of :func:`make_small_plan`, with the ``state`` reached.

    Raises:
        UserError: If there is no such row, or ``jobs`` is not positive. At the end,
            if runs did not finish, naming them.
    """
    if jobs < 1:
        raise UserError(f'--jobs must be at least 1, got {jobs}')
    runs = _Runs(work_dirs, results, jobs, output or sys.stdout)
    keep_results(work_dirs, results)
    plan = make_small_plan(work_dirs, results, names, seeds)
    if plan:
        _make_data(plan, runs.output)
        runs.run(plan)
    if runs.failed:
        problems = '; '.join(f'{_name(k)}: {p}' for k, p in runs.failed.items())
        raise UserError(
            f'{len(runs.failed)} of {len(plan)} runs did not finish: {problems}. The '
            'same command goes on where they stopped'
        )
    return [dict(step, command=None, problem=None, state='finished') for step in plan]


def _make_data(plan: list[dict[str, Any]], output: IO[str]) -> None:
    """Makes the data sets, or checks that those that are there have their settings."""
    rows = small_rows([step['name'] for step in plan])
    for words in data_commands(rows):
        if subprocess.call([sys.executable, *words[1:]], stdout=output):
            raise UserError('the data set is not as the runs need it, see above')


class _Runs:
    """The runs that are waiting, those at work, and those that failed."""

    def __init__(
        self, work_dirs: str, results: str, jobs: int, output: IO[str]
    ) -> None:
        self.work_dirs, self.results = work_dirs, results
        self.max_jobs, self.output = jobs, output
        self.waiting: list[dict[str, Any]] = []
        self.at_work: list[_Job] = []
        self.failed: dict[Key, str] = {}
        self.rows = {row.name: row for row in small_rows()}
        self.seconds: dict[str, list[float]] = {}  # of finished runs, by name

    def run(self, plan: list[dict[str, Any]]) -> None:
        """Does what the plan lists."""
        self.waiting = list(plan)
        with self._stopped_in_the_end():
            while self.waiting or self.at_work:
                while len(self.at_work) < self.max_jobs and self._start_next():
                    pass
                time.sleep(0.5)
                for job in [j for j in self.at_work if j.process.poll() is not None]:
                    self.at_work.remove(job)
                    self._end(job)

    def _start_next(self) -> bool:
        """Starts the first run that waits for none, if there is one."""
        busy = {job.key for job in self.at_work}
        busy |= {(step['name'], step['seed']) for step in self.waiting}
        for step in list(self.waiting):
            if step['starts_from'] in busy:
                continue
            self.waiting.remove(step)
            self._start((step['name'], step['seed']))
            return True
        return False

    def _start(self, key: Key, after: _Job | None = None) -> None:
        """Starts the next command of a run, whose command before was ``after``."""
        name, seed = key
        step = next_step(self.work_dirs, self.rows[name], seed)
        if step['command'] is None:
            return self._fail(key, step['problem'])
        words = [sys.executable, *step['command'][1:]]
        tool = osp.basename(words[1])
        if after and tool == after.tool:
            return self._fail(
                key, f'{tool} ended without an error, but {step["problem"]}'
            )
        os.makedirs(step['work_dir'], exist_ok=True)
        env = dict(os.environ)
        if self.max_jobs > 1:
            env['OMP_NUM_THREADS'] = '1'
        self._say(f'{_name(key)}: {" ".join(map(shlex.quote, step["command"]))}')
        with open(osp.join(step['work_dir'], OUTPUT), 'ab') as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        begun = after.begun if after else time.time()
        self.at_work.append(_Job(key, process, tool, begun))
        return None

    def _end(self, job: _Job) -> None:
        """Keeps what a process has given, or starts the next of the run."""
        name, seed = job.key
        work_dir = work_dir_of(self.work_dirs, self.rows[name], seed)
        if job.process.returncode:
            log = osp.join(work_dir, OUTPUT)
            code = job.process.returncode
            return self._fail(job.key, f'{job.tool} ended with {code}, see {log}')
        run = read_small_run(work_dir, self.rows[name])
        if run is None or run.state != 'finished':
            return self._start(job.key, after=job)
        self.seconds.setdefault(name, []).append(time.time() - job.begun)
        record = as_record(run, seed)
        keep(record, self.results)
        return self._say(
            f'{_name(job.key)}: {_result(record)}; '
            f'{len(self.waiting) + len(self.at_work)} runs left{self._time_left()}'
        )

    def _fail(self, key: Key, problem: str) -> None:
        self.failed[key] = problem
        self._say(f'{_name(key)}: {problem}')

    def _time_left(self) -> str:
        left = [step['name'] for step in self.waiting]
        left += [job.key[0] for job in self.at_work]
        known = [value for values in self.seconds.values() for value in values]
        mean = sum(known) / len(known)
        seconds = sum(
            sum(self.seconds[name]) / len(self.seconds[name])
            if name in self.seconds
            else mean
            for name in left
        )
        return f', about {seconds / self.max_jobs / 3600:.1f} hours'

    def _say(self, text: str) -> None:
        print(time.strftime('%H:%M:%S'), text, file=self.output, flush=True)

    @contextlib.contextmanager
    def _stopped_in_the_end(self) -> Iterator[None]:
        """Lets no process live on if this one is interrupted."""
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
        except KeyboardInterrupt:
            names = ', '.join(_name(job.key) for job in self.at_work)
            raise UserError(
                f'interrupted in {names}: the same command goes on there'
            ) from None
        finally:
            for job in self.at_work:
                job.process.terminate()
            for job in self.at_work:
                job.process.wait()
            signal.signal(signal.SIGTERM, before)


def _name(key: Key) -> str:
    return f'{key[0]}, seed {key[1]}'


def _result(record: Record) -> str:
    names = {'coco/bbox_mAP': 'box AP', 'coco/segm_mAP': 'mask AP', 'top1': 'top-1'}
    return ', '.join(
        f'{names[name]} {value:.3f}'
        for name, value in record.metrics.items()
        if name in names
    )
