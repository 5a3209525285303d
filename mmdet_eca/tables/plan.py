"""Which runs of the tables are missing, the next command and its cost."""

import os.path as osp
from collections.abc import Sequence
from statistics import median
from typing import Any, Optional

from ..engine import config_path, tool_path
from ..errors import UserError
from .paper_rows import PaperRow, table_5_rows
from .runs import Run, find_runs

IMAGES, EPOCHS = 117266, 12  # of COCO's train2017 those with annotations
VAL_IMAGES = 5000
# Seconds a training step of 2 images a GPU with ResNet-50, on a V100:
# MMDetection 2.0's docs/MODEL_ZOO.md, "Training Speed".
V100_STEP = dict(faster_rcnn=0.216, mask_rcnn=0.265, retinanet=0.205)


def make_plan(
    work_dirs: str, gpus: int = 4, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """What is left to do for the tables, in the paper's order.

    Args:
        work_dirs (str): Folder of the work directories; need not exist yet.
        gpus (int): GPUs that a run is given.
        names (Sequence[str]): Only these rows; all if empty.

    Returns:
        list[dict]: A dict a row that has no finished run: the row's fields,
        ``state`` ('missing', 'unfinished', 'unevaluated' or 'unusable'),
        ``problem``, the next ``command`` as a list of words (None if
        'unusable'), and ``gpu_hours``, the estimate.

    Raises:
        UserError: If a name is of no row or ``gpus`` is not positive.
    """
    if gpus < 1:
        raise UserError(f'--gpus must be at least 1, got {gpus}')
    rows = table_5_rows(names)
    runs = find_runs(work_dirs) if osp.isdir(work_dirs) else []
    speed = _relative_speed(runs)
    plan = []
    for row in rows:
        run = _most_advanced([run for run in runs if run.name == row.name])
        if run is None or run.state != 'finished':
            plan.append(_next_step(row, run, work_dirs, gpus, speed))
    return plan


def _most_advanced(runs: list[Run]) -> Optional[Run]:
    order = ('finished', 'unevaluated', 'unfinished', 'unusable')
    return min(runs, key=lambda run: order.index(run.state), default=None)


def _next_step(
    row: PaperRow, run: Optional[Run], work_dirs: str, gpus: int, speed: float
) -> dict[str, Any]:
    state = run.state if run else 'missing'
    work_dir = run.work_dir if run else osp.join(work_dirs, row.name)
    config = config_path(f'{row.name}.py')
    hours = _row_hours(row) * speed
    command: Optional[list[str]]
    if state == 'unusable':
        command, hours = None, 0.0
    elif run is not None and state == 'unevaluated':
        command = [
            tool_path('dist_test.sh'),
            _relative(config),
            osp.join(work_dir, f'epoch_{run.max_epochs}.pth'),
            str(gpus),
            '--work-dir',
            work_dir,
        ]
        hours *= VAL_IMAGES / (IMAGES * EPOCHS)
    else:
        command = [
            tool_path('dist_train.sh'),
            _relative(config),
            str(gpus),
            '--work-dir',
            work_dir,
        ]
        if run:
            command.append('--resume')
            hours *= 1 - run.epochs / EPOCHS
        if gpus != 4:
            command.append('--auto-scale-lr')
    return dict(
        row.fields(),
        work_dir=work_dir,
        state=state,
        problem=run and f'{run.work_dir} {run.problem}',
        command=command,
        gpu_hours=round(hours, 1),
    )


def _row_hours(row: PaperRow) -> float:
    """GPU hours of a whole training on V100s, by the detector's GFLOPs."""
    (plain,) = table_5_rows([f'{row.detector}_r50_fpn_1x'])
    more = row.paper['gflops'] / plain.paper['gflops']
    return V100_STEP[row.detector] * more / 2 * IMAGES * EPOCHS / 3600


def _relative_speed(runs: list[Run]) -> float:
    """Measured time over the V100s': the median of what has been trained."""
    rows = {row.name: row for row in table_5_rows()}
    ratios = []
    for run in runs:
        times = [r['time'] for r in run.training if 'time' in r]
        if run.name in rows and run.state != 'unusable' and times:
            per_image = median(times) / run.cfg.train_dataloader.batch_size
            hours = per_image * IMAGES * EPOCHS / 3600
            ratios.append(hours / _row_hours(rows[run.name]))
    return median(ratios) if ratios else 1.0


def _relative(path: str) -> str:
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative


def plan_text(plan: list[dict[str, Any]]) -> str:
    """The plan as lines to read, and to paste into a shell."""
    if not plan:
        return 'Nothing is missing: every row has a finished run.'
    lines = []
    for step in plan:
        lines.append(
            f'# {step["name"]}: {step["state"]}, {step["gpu_hours"]:.1f} GPU hours'
        )
        lines.append(
            ' '.join(step['command'])
            if step['command']
            else f'# yours to decide: {step["problem"]}'
        )
    total = sum(step['gpu_hours'] for step in plan)
    lines.append(
        f'# {len(plan)} rows, {total:.0f} GPU hours: V100s as in MMDetection '
        "2.0's model zoo, scaled by GFLOPs and by the speed of the runs that "
        'are there'
    )
    return '\n'.join(lines)
