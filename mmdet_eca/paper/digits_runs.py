"""Which runs on Digits-COCO are missing, their commands, and doing them."""

import glob
import os.path as osp
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from ..config_paths import tool_path
from ..errors import UserError
from .digits_results import (
    as_record,
    keep,
    keep_results,
    read_digits_run,
    read_records,
    work_dir_of,
)
from .digits_rows import DigitsRow, data_commands, digits_rows
from .plan import Step, relative_path, resume_options
from .running import run_plan
from .work_dirs import Run, read_run


def make_digits_plan(
    work_dirs: str,
    results: str,
    names: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> list[Step]:
    """Lists what is left to train on Digits-COCO.

    Args:
        work_dirs (str): Folder of the work directories; need not exist yet.
        results (str): Folder of the results that are kept; likewise.
        names (Sequence[str]): Only these rows; all if empty.
        seeds (Sequence[int], optional): Only these seeds, and beyond the rows' own;
            by default each row's.

    Returns:
        list[dict]: A dict for each run that is missing, in an order in which it can
        be done: ``name``, ``seed``, ``group``, ``label``, ``work_dir``, ``state``
        ('missing', 'unfinished', 'unevaluated' or 'unusable'), ``problem``, the next
        ``command`` as a list of words, None if it cannot be done yet, and
        ``starts_from``, name and seed of the run whose weights it needs. That one is
        in the list, too, if its weights are not there, even if its results are kept.

    Raises:
        UserError: If there is no row of a name, or a seed is negative.
    """
    for seed in seeds or ():
        if seed < 0:
            raise UserError(f'--seeds must be 0 or more, got {seed}')
    kept = {(record.name, record.seed) for record in read_records(results)}
    steps: dict[tuple[str, int], Step] = {}

    def add(row: DigitsRow, seed: int) -> None:
        if (row.name, seed) in steps:
            return
        step = next_step(work_dirs, row, seed)
        if row.starts_from and step['state'] not in ('finished', 'unevaluated'):
            (start,) = digits_rows([row.starts_from])
            if find_weights(work_dirs, start, seed) is None:
                add(start, seed)
        steps[row.name, seed] = step

    wanted = [
        (row, seed)
        for row in digits_rows(names)
        for seed in (range(row.seeds) if seeds is None else seeds)
    ]
    # A group after the other, and in it the rows of one seed together.
    groups = list(dict.fromkeys(row.group for row in digits_rows()))
    wanted.sort(key=lambda pair: (groups.index(pair[0].group), pair[1]))
    for row, seed in wanted:
        if (row.name, seed) not in kept:
            add(row, seed)
    return [step for step in steps.values() if step['state'] != 'finished']


def next_step(work_dirs: str, row: DigitsRow, seed: int) -> Step:
    """Returns a run's state and next command; see :func:`make_digits_plan`."""
    work_dir = work_dir_of(work_dirs, row, seed)
    run = read_digits_run(work_dir, row)
    step: Step = dict(
        name=row.name,
        seed=seed,
        group=row.group,
        label=row.label,
        work_dir=work_dir,
        state=run.state if run else 'missing',
        problem=f'{work_dir} {run.problem}' if run and run.problem else None,
        command=None,
        starts_from=row.starts_from and (row.starts_from, seed),
    )
    if step['state'] == 'finished' and find_weights(work_dirs, row, seed) is None:
        # Its results are there, and a run that starts from it asks for more.
        problem = f'{work_dir} has no weights any more: remove it to train it again'
        return dict(step, state='unusable', problem=problem)
    if step['state'] in ('missing', 'unfinished', 'unevaluated'):
        command = _command(work_dirs, row, seed, run)
        if command is None:
            waits = f'waits for the weights of {row.starts_from}, seed {seed}'
            return dict(step, problem=waits)
        return dict(step, command=command)
    return step


def find_weights(work_dirs: str, row: DigitsRow, seed: int) -> str | None:
    """Returns the file that other runs start from: a backbone or a trained detector."""
    work_dir = work_dir_of(work_dirs, row, seed)
    if row.is_classifier:
        found = glob.glob(osp.join(glob.escape(work_dir), '*-backbone-*.pth'))
        return max(found, key=osp.getmtime, default=None)
    run = read_run(work_dir)
    if run is None or run.state != 'finished' or not osp.exists(run.checkpoint()):
        return None
    return run.checkpoint()


def _command(
    work_dirs: str, row: DigitsRow, seed: int, run: Run | None
) -> list[str] | None:
    """Returns a run's next command as it is typed, None without what it starts from."""
    config = relative_path(row.config)
    work_dir = ['--work-dir', work_dir_of(work_dirs, row, seed)]
    if run and run.state == 'unevaluated' and not row.is_classifier:
        words = ['python', tool_path('test.py'), config, run.checkpoint(), *work_dir]
        return [*words, '--cfg-options', *row.data_options()]
    options = [f'randomness.seed={seed}']
    if row.starts_from:
        (start,) = digits_rows([row.starts_from])
        weights = find_weights(work_dirs, start, seed)
        if weights is None:
            return None
        init_cfg = 'model.backbone.init_cfg'
        options += (
            [f'{init_cfg}.type=Pretrained', f'{init_cfg}.checkpoint={weights}']
            if start.is_classifier
            else [f'load_from={weights}']
        )
    tool = 'pretrain_imagenet.py' if row.is_classifier else 'train.py'
    resume = resume_options(run)[0] if run else []
    words = ['python', tool_path(tool), config, *work_dir, *resume]
    return [*words, '--cfg-options', *options]


def run_digits(
    work_dirs: str,
    results: str,
    jobs: int = 1,
    names: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    output: IO[str] | None = None,
) -> list[Step]:
    """Trains and evaluates what the plan lists, and keeps the results.

    Stopped at any point, the same call continues there. A run that fails does not
    keep the others from running, except those that start from its weights.

    Args:
        work_dirs (str): Folder of the work directories.
        results (str): Folder of the results; each is written as it comes.
        jobs (int): How many runs at a time. Several have a thread each.
        names (Sequence[str]): Only these rows; all if empty.
        seeds (Sequence[int], optional): Only these seeds.
        output (file, optional): Where the progress goes.

    Returns:
        list[dict]: The plan of :func:`make_digits_plan`, with the ``state`` reached.

    Raises:
        UserError: If there is no such row, or ``jobs`` is not positive. At the end,
            if runs did not finish, naming them.
    """
    if jobs < 1:
        raise UserError(f'--jobs must be at least 1, got {jobs}')
    keep_results(work_dirs, results)
    plan = make_digits_plan(work_dirs, results, names, seeds)
    rows = {row.name: row for row in digits_rows()}
    for words in data_commands([rows[step['name']] for step in plan]):
        if subprocess.call([sys.executable, *words[1:]], stdout=output):
            raise UserError('the data set is not as the runs need it, see above')

    def again(step: Step) -> Step:
        return next_step(work_dirs, rows[step['name']], step['seed'])

    def finish(step: Step) -> str:
        run = read_digits_run(step['work_dir'], rows[step['name']])
        assert run is not None
        record = as_record(run, step['seed'])
        keep(record, results)
        names = {'coco/bbox_mAP': 'box AP', 'coco/segm_mAP': 'mask AP', 'top1': 'top-1'}
        return ', '.join(
            f'{names[name]} {value:.3f}'
            for name, value in record.metrics.items()
            if name in names
        )

    return run_plan(plan, again, output, jobs, finish)
