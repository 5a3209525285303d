"""Does the runs of a plan, one after another or several side by side."""

import contextlib
import os
import os.path as osp
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import IO

from mmengine.config import Config

from ..errors import UserError
from ..training.config import innermost_datasets
from .paper_rows import select_experiments
from .plan import Step, make_plan, step_name

OUTPUT = 'output.txt'  # in the work directory, what a run prints


def run_rows(
    names: Sequence[str],
    work_dirs: str,
    gpus: int,
    output: IO[str] | None = None,
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> list[Step]:
    """Trains and evaluates what the plan of the paper's tables lists.

    Stopped at any point, the same call continues there. A row that fails does not
    keep the others from running.

    Args:
        names (Sequence[str]): Rows to run; all if empty.
        work_dirs (str): Folder of the work directories.
        gpus (int): GPUs for each run.
        output (file, optional): Where the progress goes.
        tables (Sequence[int], optional): Numbers of tables.
        figures (Sequence[int], optional): Numbers of figures. Without tables,
            figures and names, Tables 5 and 6 are meant.

    Returns:
        list[dict]: The plan of :func:`make_plan`, with the ``state`` reached.

    Raises:
        UserError: Before anything starts, if ImageNet is needed and is not there.
            At the end, if rows did not finish, naming them.
    """
    plan = make_plan(work_dirs, gpus, names, tables, figures)
    _check_imagenet([step['name'] for step in plan if step['command']])

    def next_step(step: Step) -> Step:
        left = make_plan(work_dirs, gpus, [step['name']])
        return left[0] if left else dict(step, state='finished')

    return run_plan(plan, next_step, output)


def _check_imagenet(names: Sequence[str]) -> None:
    """Checks the image folders of the classifiers that will be trained.

    Raises:
        UserError: If a folder is missing or has another number of class folders.
    """
    for experiment in select_experiments(names=names) if names else ():
        if not experiment.is_classifier:
            continue
        cfg = Config.fromfile(experiment.config)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            for dataset in innermost_datasets(loader.dataset):
                root, expected = dataset['root'], cfg.model.num_classes
                found = 0
                if osp.isdir(root):
                    with os.scandir(root) as entries:
                        found = sum(
                            entry.is_dir() and not entry.name.startswith('.')
                            for entry in entries
                        )
                if found != expected:
                    raise UserError(
                        f'{root} must have {expected} class folders for '
                        f'{experiment.name}, it has {found or "none"}: put ImageNet '
                        f'into {osp.dirname(root)}/, or link it there'
                    )


def run_plan(
    plan: Sequence[Step],
    next_step: Callable[[Step], Step],
    output: IO[str] | None = None,
    jobs: int = 1,
    finish: Callable[[Step], str] | None = None,
) -> list[Step]:
    """Does what a plan lists; see :func:`run_rows`.

    Args:
        plan (Sequence[dict]): The steps. One with ``starts_from``, name and seed of
            another, waits for that one.
        next_step (callable): Reads the work directory of a step again; gives what is
            to be done next, with the ``state`` 'finished' if nothing is.
        output (file, optional): Where the progress goes.
        jobs (int): How many runs at a time. Several have a thread each.
        finish (callable, optional): Keeps the results of a finished step; gives what
            is printed of them.

    Returns:
        list[dict]: The steps, finished.

    Raises:
        UserError: If it is interrupted; at the end, if runs did not finish, naming
            them.
    """
    runs = _Runs(plan, next_step, output or sys.stdout, jobs, finish)
    with _terminated_in_the_end(runs.at_work):
        while runs.waiting or runs.at_work:
            while len(runs.at_work) < jobs and runs.start_next():
                pass
            time.sleep(0.1)
            for job in [job for job in runs.at_work if job.process.poll() is not None]:
                runs.at_work.remove(job)
                if job.process.returncode:
                    runs.fail(
                        job.step, f'ended with {job.process.returncode}', job.tool
                    )
                else:
                    runs.start(job.step, after=job)
    if runs.failed:
        problems = '; '.join(f'{name}: {why}' for name, why in runs.failed.items())
        raise UserError(
            f'{len(runs.failed)} of {len(plan)} runs did not finish: {problems}. The '
            'same command continues where they stopped'
        )
    return [dict(step, command=None, problem=None, state='finished') for step in plan]


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
    next_step: Callable[[Step], Step]
    output: IO[str]
    jobs: int
    finish: Callable[[Step], str] | None

    def __post_init__(self) -> None:
        self.waiting = list(self.plan)
        self.at_work: list[_Job] = []
        self.failed: dict[str, str] = {}
        self.seconds: dict[str, list[float]] = {}  # of finished runs, by row

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
        step = self.next_step(step)
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
        seconds = time.time() - after.begun if after else 0
        self.seconds.setdefault(step['name'], []).append(seconds)
        result = f'{self.finish(step)}; ' if self.finish else ''
        left = len(self.waiting) + len(self.at_work)
        self._say(step, f'{result}{left} runs left{self._time_left()}')

    def _time_left(self, started: Sequence[Step] = ()) -> str:
        """Estimates the time of all that is left, by the plan or by what has run."""
        steps = [*self.waiting, *(job.step for job in self.at_work), *started]
        if all('gpu_hours' in step for step in steps):
            hours = sum(step['gpu_hours'] / step['gpus'] for step in steps)
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
