"""The runs that are missing, the next command of each, and its cost."""

import glob
import os.path as osp
from collections.abc import Sequence
from typing import Any

from ..config_paths import tool_path
from ..errors import UserError
from .kept_results import KeptResults
from .rows import Row
from .trainings import IMAGENET_IMAGES, PAPER_GPUS, relative_speeds
from .work_dirs import Run, find_runs, read_run

# A run in a plan, see make_plan.
Step = dict[str, Any]
COCO_VAL_IMAGES = 5000
# Tools for one process, and the scripts that start them on several GPUs.
SCRIPTS = {
    'train.py': 'dist_train.sh',
    'test.py': 'dist_test.sh',
    'pretrain_imagenet.py': 'dist_pretrain.sh',
}
DETECTOR_BASIS = (
    "V100s as in MMDetection 2.0's model zoo, scaled by GFLOPs and by the speed of "
    'the runs that are there'
)
CLASSIFIER_BASIS = (
    f'epochs x {IMAGENET_IMAGES:,} images at the training speed of Table 3, on RTX '
    '2080 Ti, scaled by the speed of the runs that are there'
)


def make_plan(
    rows: Sequence[Row],
    work_dirs: str,
    gpus: int | None = None,
    seeds: Sequence[int] | None = None,
    kept: KeptResults | None = None,
) -> list[Step]:
    """Lists what is left to train of some rows.

    Args:
        rows (Sequence[Row]): The wanted rows.
        work_dirs (str): Folder of the work directories; need not exist yet. A row
            without seeds may have its runs at any depth; those of seeds are in
            ``work_dirs/FOLDER/NAME/seed_N``.
        gpus (int, optional): GPUs that a run is given; None for one process.
        seeds (Sequence[int], optional): Only these seeds, and beyond the rows' own;
            by default each row's.
        kept (KeptResults, optional): The results that are not wanted again.

    Returns:
        list[dict]: A dict for each run that is missing, in an order in which it can
        be done: the row's fields, ``seed`` or ``gpus``, ``work_dir``, ``state``
        ('missing', 'unfinished', 'unevaluated' or 'unusable'), ``problem``, the next
        ``command`` as a list of words, None if it cannot be done, ``gpu_hours``, the
        estimate, with its ``basis``, where there is one; and ``starts_from``, name
        and seed of the run whose weights it needs. That one is in the list, too, if
        its weights are not there, even if its results are kept.

    Raises:
        UserError: If ``gpus`` is not positive, or a seed is negative.
    """
    return Planner(rows, work_dirs, gpus).plan(seeds, kept)


class Planner:
    """Finds the runs of rows, and what is to be done next in each.

    Args:
        rows (Sequence[Row]): The rows that are planned.
        work_dirs (str): See :func:`make_plan`.
        gpus (int, optional): Likewise.
    """

    def __init__(self, rows: Sequence[Row], work_dirs: str, gpus: int | None) -> None:
        if gpus is not None and gpus < 1:
            raise UserError(f'--gpus must be at least 1, got {gpus}')
        self.rows, self.work_dirs, self.gpus = rows, work_dirs, gpus
        anywhere = any(not row.seeds for row in rows) and osp.isdir(work_dirs)
        runs = find_runs(work_dirs) if anywhere else []
        self.speeds = relative_speeds(runs)
        order = ('finished', 'unevaluated', 'unfinished', 'unusable')
        self.best: dict[str, Run] = {}
        for run in sorted(runs, key=lambda run: order.index(run.state)):
            self.best.setdefault(run.name, run)

    def plan(
        self, seeds: Sequence[int] | None = None, kept: KeptResults | None = None
    ) -> list[Step]:
        """Lists what is left to train; see :func:`make_plan`."""
        if seeds and min(seeds) < 0:
            raise UserError(f'--seeds must be 0 or more, got {min(seeds)}')
        done = {(record.name, record.seed) for record in kept.read()} if kept else ()
        steps: dict[tuple[str, int | None], Step] = {}

        def add(row: Row, seed: int | None) -> None:
            if (row.name, seed) in steps:
                return
            step = self.next_step(row, seed)
            start = row.starts_from
            done_training = step['state'] in ('finished', 'unevaluated')
            if start and not done_training and not self.find_weights(start, seed):
                add(start, seed)
            steps[row.name, seed] = step

        for group in dict.fromkeys(row.group for row in self.rows):
            of_group = [row for row in self.rows if row.group == group]
            pairs = [(seed, row) for row in of_group for seed in _seeds(row, seeds)]
            # The rows of one seed together, so that differences come early.
            for seed, row in sorted(pairs, key=lambda pair: pair[0] or 0):
                if (row.name, seed) not in done:
                    add(row, seed)
        return [step for step in steps.values() if step['state'] != 'finished']

    def next_step(self, row: Row, seed: int | None) -> Step:
        """Reads a run's work directory; returns its step, see :func:`make_plan`."""
        if seed is None:
            best = self.best.get(row.name)
            work_dir = best.work_dir if best else osp.join(self.work_dirs, row.name)
        else:
            work_dir = self._seed_folder(row, seed)
        run = read_run(work_dir, row.evaluation_data)
        step: Step = dict(
            row.fields,
            **(dict(gpus=self.gpus) if seed is None else dict(seed=seed)),
            work_dir=work_dir,
            state=run.state if run else 'missing',
            problem=f'{work_dir} {run.problem}' if run and run.problem else None,
            command=None,
        )
        if row.cost:
            step.update(gpu_hours=self._hours(row, run), basis=row.cost.basis)
        start = row.starts_from
        if seed is not None:
            step['starts_from'] = start and (start.name, seed)
        if step['state'] == 'finished':
            if seed is not None and self.find_weights(row, seed) is None:
                # Its results are there, and a run that starts from it asks for more.
                problem = f'{work_dir} has no weights any more: remove it to train it'
                step.update(state='unusable', problem=f'{problem} again')
        elif step['state'] != 'unusable':
            step['command'] = self._command(row, seed, run, work_dir)
            if step['command'] is None and start:
                step['problem'] = f'waits for the weights of {start.name}, seed {seed}'
        return step

    def find_weights(self, row: Row, seed: int | None) -> str | None:
        """Returns the file that runs start from: a backbone or a trained detector."""
        work_dir = self._seed_folder(row, seed)
        if row.is_classifier:
            found = glob.glob(osp.join(glob.escape(work_dir), '*-backbone-*.pth'))
            return max(found, key=osp.getmtime, default=None)
        run = read_run(work_dir)
        if run is None or run.state != 'finished' or not osp.exists(run.checkpoint()):
            return None
        return run.checkpoint()

    def _seed_folder(self, row: Row, seed: int | None) -> str:
        return osp.join(self.work_dirs, row.folder, row.name, f'seed_{seed}')

    def _command(
        self, row: Row, seed: int | None, run: Run | None, work_dir: str
    ) -> list[str] | None:
        """Returns a run's next command, None if weights that it needs are missing."""
        checkpoint, flags, options = [], [], []
        if run and run.state == 'unevaluated' and not row.is_classifier:
            tool = 'test.py'
            checkpoint = [run.checkpoint()]
            if data := row.evaluation_data:
                options = [
                    f'test_dataloader.dataset.data_root={data}/',
                    f'test_evaluator.ann_file={data}/annotations/instances_val.json',
                ]
        else:
            tool = 'pretrain_imagenet.py' if row.is_classifier else 'train.py'
            flags = _resume_flags(run) if run else []
            flags += [] if self.gpus in (None, PAPER_GPUS) else ['--auto-scale-lr']
            options = [] if seed is None else [f'randomness.seed={seed}']
            if row.starts_from:
                weights = self.find_weights(row.starts_from, seed)
                if weights is None:
                    return None
                init_cfg = 'model.backbone.init_cfg'
                options += (
                    [f'{init_cfg}.type=Pretrained', f'{init_cfg}.checkpoint={weights}']
                    if row.starts_from.is_classifier
                    else [f'load_from={weights}']
                )
        words = ['python', tool_path(tool)]
        gpus = []
        if self.gpus is not None:
            words, gpus = [tool_path(SCRIPTS[tool])], [str(self.gpus)]
        words += [_relative(row.config), *checkpoint, *gpus, '--work-dir', work_dir]
        return [*words, *flags, *(['--cfg-options', *options] if options else [])]

    def _hours(self, row: Row, run: Run | None) -> float:
        """Estimates the GPU hours of a run's next command."""
        if row.cost is None or (run and run.state == 'unusable'):
            return 0.0
        hours = row.cost.hours * self.speeds[row.is_classifier]
        if run and run.state == 'unevaluated' and not row.is_classifier:
            hours *= COCO_VAL_IMAGES / row.cost.images
        elif run:
            epochs = run.epochs - (run.state == 'unevaluated')  # the last one again
            hours *= 1 - epochs / run.max_epochs
        return round(hours, 1)


def _seeds(row: Row, seeds: Sequence[int] | None) -> Sequence[int | None]:
    if not row.seeds:
        return [None]
    return range(row.seeds) if seeds is None else seeds


def _resume_flags(run: Run) -> list[str]:
    """Returns how a run is resumed.

    A classifier is evaluated while it trains: by its last epoch again.
    """
    if run.state == 'unevaluated':
        return ['--resume', run.checkpoint(run.max_epochs - 1)]
    return ['--resume']


def _relative(path: str) -> str:
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
