"""Which runs on the digits are missing, and their commands."""

import glob
import os.path as osp
from collections.abc import Sequence
from typing import Any

from ...engine import tool_path
from ...errors import UserError
from ..plan import relative_path
from ..runs import Run, read_run
from .evaluation import data_options, read_small_run
from .records import record_path, work_dir_of
from .rows import SmallRow, small_rows

Key = tuple[str, int]  # name and seed of a run


def make_small_plan(
    work_dirs: str,
    results: str,
    names: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """What is left to train on the digits.

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
    rows = {row.name: row for row in small_rows()}
    steps: dict[Key, dict[str, Any]] = {}

    def add(row: SmallRow, seed: int) -> None:
        if (row.name, seed) in steps:
            return
        step = next_step(work_dirs, row, seed)
        if row.starts_from and step['state'] not in ('finished', 'unevaluated'):
            start = rows[row.starts_from]
            if find_weights(work_dirs, start, seed) is None:
                add(start, seed)
        steps[row.name, seed] = step

    wanted = [
        (row, seed)
        for row in small_rows(names)
        for seed in (range(row.seeds) if seeds is None else seeds)
    ]
    # A group after the other, and in it the rows of one seed together.
    groups = list(dict.fromkeys(row.group for row in small_rows()))
    wanted.sort(key=lambda pair: (groups.index(pair[0].group), pair[1]))
    for row, seed in wanted:
        if not osp.exists(record_path(results, row.name, seed)):
            add(row, seed)
    return [step for step in steps.values() if step['state'] != 'finished']


def next_step(work_dirs: str, row: SmallRow, seed: int) -> dict[str, Any]:
    """The state of a run and its next command; see :func:`make_small_plan`."""
    work_dir = work_dir_of(work_dirs, row, seed)
    run = read_small_run(work_dir, row)
    state = run.state if run else 'missing'
    problem = f'{work_dir} {run.problem}' if run and run.problem else None
    command: list[str] | None = None
    if state == 'finished' and find_weights(work_dirs, row, seed) is None:
        # Its results are there, and a run that starts from it asks for more.
        state = 'unusable'
        problem = f'{work_dir} has no weights any more: remove it to train it again'
    elif state in ('missing', 'unfinished', 'unevaluated'):
        try:
            command = _command(work_dirs, row, seed, run)
        except _NoWeights as error:
            problem = str(error)
    return dict(
        name=row.name,
        seed=seed,
        group=row.group,
        label=row.label,
        work_dir=work_dir,
        state=state,
        problem=problem,
        command=command,
        starts_from=row.starts_from and (row.starts_from, seed),
    )


class _NoWeights(Exception):
    """What a run starts from is not there."""


def find_weights(work_dirs: str, row: SmallRow, seed: int) -> str | None:
    """The file that other runs start from: a backbone, or a trained detector."""
    folder = glob.escape(work_dir_of(work_dirs, row, seed))
    if row.is_classifier:
        found = glob.glob(osp.join(folder, '*-backbone-*.pth'))
        return max(found, key=osp.getmtime, default=None)
    run = read_run(work_dir_of(work_dirs, row, seed))
    if run is None or run.state != 'finished':
        return None
    path = osp.join(run.work_dir, run.checkpoint())
    return path if osp.exists(path) else None


def _command(work_dirs: str, row: SmallRow, seed: int, run: Run | None) -> list[str]:
    """The next command of a run, as it is typed."""
    work_dir = work_dir_of(work_dirs, row, seed)
    config = relative_path(row.config)
    if run and run.state == 'unevaluated' and not row.is_classifier:
        checkpoint = osp.join(work_dir, run.checkpoint())
        return [
            *('python', tool_path('test.py'), config, checkpoint),
            *('--work-dir', work_dir, '--cfg-options', *data_options(row)),
        ]
    tool = 'pretrain_imagenet.py' if row.is_classifier else 'train.py'
    options = [f'randomness.seed={seed}']
    if row.starts_from:
        options += _weights_options(work_dirs, row, seed)
    resume = ['--resume'] if run else []
    if run and run.state == 'unevaluated':
        # A classifier is evaluated while it trains: by its last epoch again.
        resume.append(osp.join(work_dir, run.checkpoint(run.max_epochs - 1)))
    return [
        *('python', tool_path(tool), config, '--work-dir', work_dir, *resume),
        *('--cfg-options', *options),
    ]


def _weights_options(work_dirs: str, row: SmallRow, seed: int) -> list[str]:
    assert row.starts_from is not None
    (start,) = small_rows([row.starts_from])
    weights = find_weights(work_dirs, start, seed)
    if weights is None:
        raise _NoWeights(f'waits for the weights of {start.name}, seed {seed}')
    if not start.is_classifier:
        return [f'load_from={weights}']
    init_cfg = 'model.backbone.init_cfg'
    return [f'{init_cfg}.type=Pretrained', f'{init_cfg}.checkpoint={weights}']


def small_plan_text(plan: list[dict[str, Any]]) -> str:
    """The plan as lines to read, and to paste into a shell."""
    if not plan:
        return (
            'Nothing is missing: every row has a finished run of each of its seeds. '
            'Other folders for --work-dirs and --results begin anew.'
        )
    lines = []
    for step in plan:
        lines.append(
            f'# {step["group"]}, {step["label"]}, seed {step["seed"]}: {step["state"]}'
        )
        lines.append(' '.join(step['command'] or ('#', step['problem'])))
    return '\n'.join([*lines, f'# {len(plan)} runs'])
