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
from typing import IO

from mmengine.config import Config

from ..engine import innermost_datasets
from ..errors import UserError
from .paper_rows import select_experiments
from .plan import Step, make_plan, step_name

OUTPUT = 'output.txt'  # in the work directory, what a run on Digits-COCO prints


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
        output (file, optional): Where the runs' output and the progress go.
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
            is printed of them. With it, the output of each run goes into a file in
            its work directory.

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
                runs.end(job)
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


class _Runs:
    """The runs that are waiting, those at work, and why others have failed."""

    def __init__(
        self,
        plan: Sequence[Step],
        next_step: Callable[[Step], Step],
        output: IO[str],
        jobs: int,
        finish: Callable[[Step], str] | None,
    ) -> None:
        self.waiting = list(plan)
        self.next_step, self.output = next_step, output
        self.jobs, self.finish = jobs, finish
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
                self._start(step)
                return True
        return False

    def _start(self, step: Step, after: _Job | None = None) -> None:
        """Starts the next command of a run, whose command before was ``after``."""
        step = self.next_step(step)
        if step['state'] == 'finished':
            return self._finish(step, after)
        words = step['command']
        if words is None:
            return self._fail(step, step['problem'])
        named = words[0] == 'python'
        tool = osp.basename(words[named])
        if after and tool == after.tool:
            return self._fail(
                step, f'{tool} ended without an error, but {step["problem"]}'
            )
        self._say(f'{step_name(step)}: {shlex.join(words)}{self._time_left(step)}')
        env = dict(os.environ)
        if self.jobs > 1:
            env['OMP_NUM_THREADS'] = '1'
        if named:
            words = [sys.executable, *words[1:]]
        with self._log(step) as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        begun = after.begun if after else time.time()
        self.at_work.append(_Job(step, process, tool, begun))
        return None

    @contextlib.contextmanager
    def _log(self, step: Step) -> Iterator[IO | None]:
        """Opens the file of what a run prints."""
        if self.finish is None:
            yield None if self.output is sys.stdout else self.output
            return
        os.makedirs(step['work_dir'], exist_ok=True)
        with open(osp.join(step['work_dir'], OUTPUT), 'ab') as log:
            yield log

    def end(self, job: _Job) -> None:
        """Continues with a run one of whose processes has ended."""
        code = job.process.returncode
        if not code:
            return self._start(job.step, after=job)
        log = osp.join(job.step['work_dir'], OUTPUT) if self.finish else 'above'
        return self._fail(job.step, f'{job.tool} ended with {code}, see {log}')

    def _finish(self, step: Step, after: _Job | None) -> None:
        seconds = time.time() - after.begun if after else 0
        self.seconds.setdefault(step['name'], []).append(seconds)
        result = f'{self.finish(step)}; ' if self.finish else ''
        left = len(self.waiting) + len(self.at_work)
        self._say(f'{step_name(step)}: {result}{left} runs left{self._time_left()}')

    def _fail(self, step: Step, problem: str) -> None:
        self.failed[step_name(step)] = problem
        self._say(f'{step_name(step)}: {problem}')

    def _time_left(self, step: Step | None = None) -> str:
        """Estimates the time of all that is left, by the plan or by what has run."""
        steps = [*self.waiting, *(job.step for job in self.at_work)]
        steps += [step] if step else []
        if all('gpu_hours' in step for step in steps):
            hours = sum(step['gpu_hours'] / step['gpus'] for step in steps)
        elif self.seconds:
            known = {n: sum(values) / len(values) for n, values in self.seconds.items()}
            mean = sum(known.values()) / len(known)
            seconds = sum(known.get(step['name'], mean) for step in steps)
            hours = seconds / 3600 / self.jobs
        else:
            return ''
        return f', about {hours:.1f} hours'

    def _say(self, text: str) -> None:
        print(time.strftime('%H:%M:%S'), text, file=self.output, flush=True)


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
