"""Which runs of the tables are missing, the next command and its cost."""

import os.path as osp
from collections.abc import Sequence
from typing import Any

from ..engine import tool_path
from ..errors import UserError
from .costs import (
    CLASSIFIER_BASIS,
    COCO_VAL_IMAGES,
    DETECTOR_BASIS,
    estimate,
    relative_speed,
)
from .experiments import FIGURES, TABLES, Experiment, select_experiments
from .runs import Run, find_runs


def make_plan(
    work_dirs: str,
    gpus: int = 4,
    names: Sequence[str] = (),
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """What is left to train for the tables and figures.

    Args:
        work_dirs (str): Folder of the work directories; need not exist yet.
        gpus (int): GPUs that a run is given.
        names (Sequence[str]): Only these rows; all if empty.
        tables (Sequence[int], optional): Numbers of tables.
        figures (Sequence[int], optional): Numbers of figures. Without tables,
            figures and names, Tables 5 and 6 are meant.

    Returns:
        list[dict]: A dict for each training that has no finished run, detectors
        first: the row's fields, ``tables`` and ``figures`` that need it, ``state``
        ('missing', 'unfinished', 'unevaluated' or 'unusable'), ``problem``, the
        next ``command`` as a list of words (None if 'unusable'), and
        ``gpu_hours``, the estimate, with its ``basis``.

    Raises:
        UserError: If there is no such name, table or figure, or ``gpus`` is not
            positive.
    """
    if gpus < 1:
        raise UserError(f'--gpus must be at least 1, got {gpus}')
    experiments = select_experiments(tables, figures, names)
    runs = find_runs(work_dirs) if osp.isdir(work_dirs) else []
    everything = select_experiments(TABLES, FIGURES)
    speeds = {kind: relative_speed(everything, runs, kind) for kind in (False, True)}
    plan = []
    for experiment in experiments:
        run = _most_advanced([run for run in runs if run.name == experiment.name])
        if run is None or run.state != 'finished':
            speed = speeds[experiment.is_classifier]
            plan.append(_next_step(experiment, run, work_dirs, gpus, speed))
    return plan


def _most_advanced(runs: list[Run]) -> Run | None:
    order = ('finished', 'unevaluated', 'unfinished', 'unusable')
    return min(runs, key=lambda run: order.index(run.state), default=None)


def _next_step(
    experiment: Experiment, run: Run | None, work_dirs: str, gpus: int, speed: float
) -> dict[str, Any]:
    state = run.state if run else 'missing'
    work_dir = run.work_dir if run else osp.join(work_dirs, experiment.name)
    cost = estimate(experiment)
    hours = cost.gpu_hours * speed
    command: list[str] | None
    if state == 'unusable':
        command, hours = None, 0.0
    elif run is not None and state == 'unevaluated' and not run.is_classifier:
        command = _command('dist_test.sh', experiment, gpus, work_dir, run.checkpoint())
        hours *= COCO_VAL_IMAGES / cost.images
    else:
        tool = 'dist_pretrain.sh' if experiment.is_classifier else 'dist_train.sh'
        command = _command(tool, experiment, gpus, work_dir)
        if run:
            command.append('--resume')
            epochs = run.epochs
            if state == 'unevaluated':
                # A classifier is evaluated while it trains: by its last epoch again.
                epochs -= 1
                command.append(osp.join(work_dir, run.checkpoint(epochs)))
            hours *= 1 - epochs / run.max_epochs
        if gpus != 4:
            command.append('--auto-scale-lr')
    return dict(
        experiment.fields,
        tables=experiment.tables,
        figures=experiment.figures,
        work_dir=work_dir,
        state=state,
        problem=run and f'{run.work_dir} {run.problem}',
        command=command,
        gpu_hours=round(hours, 1),
        basis=cost.basis,
    )


def _command(
    tool: str,
    experiment: Experiment,
    gpus: int,
    work_dir: str,
    checkpoint: str | None = None,
) -> list[str]:
    """A command of ``tools/``; ``checkpoint`` is in the work directory."""
    words = [tool_path(tool), relative_path(experiment.config)]
    if checkpoint:
        words.append(osp.join(work_dir, checkpoint))
    return [*words, str(gpus), '--work-dir', work_dir]


def relative_path(path: str) -> str:
    """The path as it is typed: relative to the current folder if it is below it."""
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative


def plan_text(plan: list[dict[str, Any]]) -> str:
    """The plan as lines to read, and to paste into a shell."""
    if not plan:
        return 'Nothing is missing: every row that is trained has a finished run.'
    lines = []
    for step in plan:
        places = ', '.join(
            f'{kind} {number}'
            for kind in ('Table', 'Figure')
            for number in step[f'{kind.lower()}s']
        )
        lines.append(
            f'# {step["name"]}: {step["state"]}, {step["gpu_hours"]:.1f} GPU hours '
            f'({step["basis"]}), for {places}'
        )
        lines.append(
            ' '.join(step['command'])
            if step['command']
            else f'# yours to decide: {step["problem"]}'
        )
    detectors = [step for step in plan if 'detector' in step]
    classifiers = [step for step in plan if 'detector' not in step]
    for steps, kind, basis in (
        (detectors, 'rows', DETECTOR_BASIS),
        (classifiers, 'classifiers', CLASSIFIER_BASIS),
    ):
        if steps:
            lines.append(f'# {len(steps)} {kind}, {_hours(steps)} GPU hours: {basis}')
    if detectors and classifiers:
        lines.append(f'# {len(plan)} in all, {_hours(plan)} GPU hours')
    return '\n'.join(lines)


def _hours(steps: list[dict[str, Any]]) -> str:
    return f'{sum(step["gpu_hours"] for step in steps):.0f}'
