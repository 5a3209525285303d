"""Does the runs of a plan, one after another or several side by side."""

import contextlib
import glob
import os
import os.path as osp
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import IO

from mmengine.config import Config

from ..errors import UserError
from ..training.config import innermost_datasets
from .kept_results import KeptResults, as_record
from .plan import Planner, Step, step_name
from .rows import CLASSIFIER_METRICS, DETECTOR_METRICS, Row
from .work_dirs import read_run

OUTPUT = 'output.txt'  # in the work directory, what a run prints
# Of the result that is printed when a run ends.
FIRST_METRICS = {
    name: f'{task} {column}' if column == 'AP' else column
    for name, (task, column) in {**DETECTOR_METRICS, **CLASSIFIER_METRICS}.items()
    if column in ('AP', 'top-1')
}


def run_rows(
    rows: Sequence[Row],
    work_dirs: str,
    gpus: int | None = None,
    seeds: Sequence[int] | None = None,
    kept: KeptResults | None = None,
    jobs: int = 1,
    output: IO[str] | None = None,
) -> list[Step]:
    """Trains and evaluates what the plan of some rows lists.

    Stopped at any point, the same call continues there. A run that fails does not
    keep the others from running, except those that start from its weights.

    Args:
        rows (Sequence[Row]): The rows; for these and the next see :func:`make_plan`.
        work_dirs (str): Folder of the work directories.
        gpus (int, optional): GPUs for each run; None for one process.
        seeds (Sequence[int], optional): Only these seeds.
        kept (KeptResults, optional): Gets the results of each run as they come.
        jobs (int): How many runs at a time. Several have a thread each.
        output (file, optional): Where the progress goes.

    Returns:
        list[dict]: The plan of :func:`make_plan`, with the ``state`` reached.

    Raises:
        UserError: If ``jobs`` is not positive. Before anything starts, if data that
            is needed is not there. If it is interrupted. At the end, if runs did not
            finish, naming them.
    """
    if jobs < 1:
        raise UserError(f'--jobs must be at least 1, got {jobs}')
    if kept:
        kept.keep_finished(work_dirs)
    planner = Planner(rows, work_dirs, gpus)
    plan = planner.plan(seeds, kept)
    by_name = {**(kept.rows if kept else {}), **{row.name: row for row in rows}}
    _prepare_data(
        [by_name[step['name']] for step in plan if step['state'] != 'unusable'], output
    )
    runs = _Runs(plan, by_name, planner, kept, jobs, output or sys.stdout)
    with _terminated_in_the_end(runs.at_work):
        while runs.waiting or runs.at_work:
            while len(runs.at_work) < jobs and runs.start_next():
                pass
            time.sleep(0.1)
            for job in [job for job in runs.at_work if job.process.poll() is not None]:
                runs.at_work.remove(job)
                if job.process.returncode:
                    problem = f'ended with {job.process.returncode}'
                    runs.fail(job.step, problem, job.tool)
                else:
                    runs.start(job.step, after=job)
    if runs.failed:
        problems = '; '.join(f'{name}: {why}' for name, why in runs.failed.items())
        raise UserError(
            f'{len(runs.failed)} of {len(plan)} runs did not finish: {problems}. The '
            'same command continues where they stopped'
        )
    return [dict(step, command=None, problem=None, state='finished') for step in plan]


def _prepare_data(rows: Sequence[Row], output: IO[str] | None) -> None:
    """Makes the data sets of these rows, and checks the folders of ImageNet.

    Raises:
        UserError: If data is not there, or other than the rows need.
    """
    for words in dict.fromkeys(words for row in rows for words in row.data_commands):
        if subprocess.call([sys.executable, *words[1:]], stdout=output):
            raise UserError('the data set is not as the runs need it, see above')
    for row in rows:
        if not row.is_classifier or row.data_commands:
            continue
        cfg = Config.fromfile(row.config)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            for dataset in innermost_datasets(loader.dataset):
                root, expected = dataset['root'], cfg.model.num_classes
                folders = glob.glob(osp.join(glob.escape(root), '*', ''))
                if len(folders) != expected:
                    raise UserError(
                        f'{root} must have {expected} class folders for {row.name}, '
                        f'it has {len(folders) or "none"}: put ImageNet into '
                        f'{osp.dirname(root)}/, or link it there'
                    )


@dataclass
class _Job:
    """A process of a run; ``begun`` is when the first of this run began."""

    step: Step
    process: 'subprocess.Popen[bytes]'
    tool: str
    begun: float


@dataclass
class _Runs:
    """The runs that are waiting, those at work, and why others have failed."""

    plan: Sequence[Step]
    rows: dict[str, Row]
    planner: Planner
    kept: KeptResults | None
    jobs: int
    output: IO[str]
    at_work: list[_Job] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)  # by row

    def __post_init__(self) -> None:
        self.waiting = list(self.plan)

    def start_next(self) -> bool:
        """Starts the first run that waits for none, if there is one."""
        busy = [*self.waiting, *(job.step for job in self.at_work)]
        keys = {(step['name'], step.get('seed')) for step in busy}
        for step in self.waiting:
            if step.get('starts_from') not in keys:
                self.waiting.remove(step)
                self.start(step)
                return True
        return False

    def start(self, step: Step, after: _Job | None = None) -> None:
        """Starts the next command of a run, whose command before was ``after``."""
        step = self.planner.next_step(self.rows[step['name']], step.get('seed'))
        if step['state'] == 'finished':
            return self._end(step, after)
        words = step['command']
        if words is None:
            return self.fail(step, step['problem'])
        if words[0] == 'python':
            words = [sys.executable, *words[1:]]
        tool = osp.basename(words[words[0] == sys.executable])
        if after and tool == after.tool:
            problem = f'ended without an error, but {step["problem"]}'
            return self.fail(step, problem, tool)
        self._say(step, shlex.join(step['command']) + self._time_left([step]))
        env = dict(os.environ, **({'OMP_NUM_THREADS': '1'} if self.jobs > 1 else {}))
        os.makedirs(step['work_dir'], exist_ok=True)
        with open(osp.join(step['work_dir'], OUTPUT), 'ab') as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        begun = after.begun if after else time.time()
        self.at_work.append(_Job(step, process, tool, begun))
        return None

    def fail(self, step: Step, problem: str, tool: str | None = None) -> None:
        """Notes why a run does not finish, and what its last tool printed."""
        if tool:
            problem = f'{tool} {problem}, see {osp.join(step["work_dir"], OUTPUT)}'
        self.failed[step_name(step)] = problem
        self._say(step, problem)

    def _end(self, step: Step, after: _Job | None) -> None:
        """Keeps the results of a finished run."""
        seconds = time.time() - after.begun if after else 0
        self.seconds.setdefault(step['name'], []).append(seconds)
        left = f'{len(self.waiting) + len(self.at_work)} runs left{self._time_left()}'
        row = self.rows[step['name']]
        run = read_run(step['work_dir'], row.evaluation_data)
        if self.kept and run:
            record = as_record(run, step['seed'])
            self.kept.keep(record)
            found = [
                f'{name} {record.metrics[metric]:.3f}'
                for metric, name in FIRST_METRICS.items()
                if metric in record.metrics
            ]
            left = f'{", ".join(found)}; {left}'
        self._say(step, left)

    def _time_left(self, started: Sequence[Step] = ()) -> str:
        """Estimates the time of all that is left, by the plan or by what has run."""
        steps = [*self.waiting, *(job.step for job in self.at_work), *started]
        if all('gpu_hours' in step for step in steps):
            hours = sum(step['gpu_hours'] / (step['gpus'] or 1) for step in steps)
        elif self.seconds:
            known = {name: mean(values) for name, values in self.seconds.items()}
            usual = mean(known.values())
            seconds = sum(known.get(step['name'], usual) for step in steps)
            hours = seconds / 3600 / self.jobs
        else:
            return ''
        return f', about {hours:.1f} hours'

    def _say(self, step: Step, text: str) -> None:
        now = time.strftime('%H:%M:%S')
        print(f'{now} {step_name(step)}: {text}', file=self.output, flush=True)


@contextlib.contextmanager
def _terminated_in_the_end(jobs: list[_Job]) -> Iterator[None]:
    """Ends every process if this one is interrupted."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        names = ', '.join(step_name(job.step) for job in jobs)
        raise UserError(
            f'interrupted in {names}: the same command continues there'
        ) from None
    finally:
        for job in jobs:
            job.process.terminate()
        for job in jobs:
            job.process.wait()
        signal.signal(signal.SIGTERM, before)
