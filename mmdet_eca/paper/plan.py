"""Which runs of the paper's tables are missing, the next command and its cost."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

from ..config_paths import tool_path
from ..errors import UserError
from .costs import (
    CLASSIFIER_BASIS,
    COCO_VAL_IMAGES,
    DETECTOR_BASIS,
    estimate,
    relative_speeds,
    training_images,
)
from .paper_rows import Experiment, select_experiments
from .work_dirs import Run, find_runs

# What the plan says of a run, on COCO and ImageNet or on Digits-COCO.
Step = dict[str, Any]


def make_plan(
    work_dirs: str,
    gpus: int = 4,
    names: Sequence[str] = (),
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> list[Step]:
    """Lists what is left to train for the tables and figures.

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
        UserError: If there is no row of a name, or ``gpus`` is not positive.
    """
    if gpus < 1:
        raise UserError(f'--gpus must be at least 1, got {gpus}')
    experiments = select_experiments(tables, figures, names)
    runs = find_runs(work_dirs) if osp.isdir(work_dirs) else []
    speeds = relative_speeds(runs)
    order = ('finished', 'unevaluated', 'unfinished', 'unusable')
    plan = []
    for experiment in experiments:
        of_row = [run for run in runs if run.name == experiment.name]
        run = min(of_row, key=lambda run: order.index(run.state), default=None)
        if run is None or run.state != 'finished':
            plan.append(_next_step(experiment, run, work_dirs, gpus, speeds))
    return plan


def _next_step(
    experiment: Experiment,
    run: Run | None,
    work_dirs: str,
    gpus: int,
    speeds: Mapping[bool, float],
) -> Step:
    work_dir = run.work_dir if run else osp.join(work_dirs, experiment.name)
    hours, basis = estimate(experiment)
    hours *= speeds[experiment.is_classifier]
    step = dict(
        experiment.fields,
        tables=experiment.tables,
        figures=experiment.figures,
        gpus=gpus,
        work_dir=work_dir,
        state=run.state if run else 'missing',
        problem=run and f'{run.work_dir} {run.problem}',
        command=None,
        gpu_hours=0.0,
        basis=basis,
    )
    tool = 'dist_pretrain.sh' if experiment.is_classifier else 'dist_train.sh'
    checkpoint, options = [], ['--auto-scale-lr'] if gpus != 4 else []
    if run is not None:
        if run.state == 'unusable':
            return step
        if run.state == 'unevaluated' and not run.is_classifier:
            tool, checkpoint, options = 'dist_test.sh', [run.checkpoint()], []
            hours *= COCO_VAL_IMAGES / training_images(experiment)
        else:
            resume, epochs = resume_options(run)
            options = [*resume, *options]
            hours *= 1 - epochs / run.max_epochs
    command = [tool_path(tool), relative_path(experiment.config), *checkpoint]
    command += [str(gpus), '--work-dir', work_dir, *options]
    return dict(step, command=command, gpu_hours=round(hours, 1))


def resume_options(run: Run) -> tuple[list[str], int]:
    """Returns how a run is resumed, and the number of epochs that it then has.

    A classifier is evaluated while it trains: by its last epoch again.
    """
    if run.state == 'unevaluated':
        epochs = run.max_epochs - 1
        return ['--resume', run.checkpoint(epochs)], epochs
    return ['--resume'], run.epochs


def relative_path(path: str) -> str:
    """Returns the path relative to the current folder if it is below it."""
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative


def plan_text(plan: Sequence[Step]) -> str:
    """Formats a plan as lines to read, and to paste into a shell."""
    if not plan:
        return (
            'Nothing is missing: every row that is trained has its finished runs. '
            'Other folders for --work-dirs and --results begin from scratch.'
        )
    lines = []
    for step in plan:
        lines.append(f'# {step_name(step)}: {step["state"]}')
        if 'gpu_hours' in step:
            lines[-1] += f', {step["gpu_hours"]:.1f} GPU hours ({step["basis"]})'
        lines[-1] += f', for {_places(step)}'
        lines.append(' '.join(step['command'] or ('#', step['problem'])))
    if 'gpu_hours' not in plan[0]:
        return '\n'.join([*lines, f'# {len(plan)} runs'])
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


def step_name(step: Step) -> str:
    """Returns the name of a run, with its seed if it has one."""
    return f'{step["name"]}, seed {step["seed"]}' if 'seed' in step else step['name']


def _places(step: Step) -> str:
    if 'group' in step:
        return f'{step["group"]}, {step["label"]}'
    return ', '.join(
        f'{kind} {number}'
        for kind in ('Table', 'Figure')
        for number in step[f'{kind.lower()}s']
    )


def _hours(steps: Sequence[Step]) -> str:
    return f'{sum(step["gpu_hours"] for step in steps):.0f}'
