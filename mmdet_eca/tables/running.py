"""Trains and evaluates the rows of the tables, one after another."""

import os
import os.path as osp
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any

from mmengine.config import Config

from ..engine import innermost_datasets
from ..errors import UserError
from .experiments import select_experiments
from .plan import make_plan


def run_rows(
    names: Sequence[str],
    work_dirs: str,
    gpus: int,
    output: IO[str] | None = None,
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Trains and evaluates what the plan lists, one row after another.

    Stopped at any point, the same call goes on there. A row that fails does
    not keep the others from running.

    Args:
        names (Sequence[str]): Rows to run; all if empty.
        work_dirs (str): Folder of the work directories.
        gpus (int): GPUs for each run.
        output (file, optional): Where the runs' output and the progress go.
        tables (Sequence[int], optional): Numbers of tables.
        figures (Sequence[int], optional): Numbers of figures. Without tables,
            figures and names, Tables 5 and 6 are meant.

    Returns:
        list[dict]: As of :func:`make_plan`, with the ``state`` reached.

    Raises:
        UserError: Before anything starts, if ImageNet is needed and is not there.
            At the end, if rows did not finish, naming them.
    """
    output = output or sys.stdout
    plan = make_plan(work_dirs, gpus, names, tables, figures)
    _check_imagenet([step['name'] for step in plan if step['command']])
    results, failed = [], []
    for number, step in enumerate(plan, 1):
        name = step['name']
        left = sum(later['gpu_hours'] for later in plan[number - 1 :])
        print(
            f'[{number}/{len(plan)}] {name}: {step["state"]}; about '
            f'{left / gpus:.1f} hours left for all',
            file=output,
            flush=True,
        )
        problem = _run_row(name, work_dirs, gpus, output)
        if problem:
            failed.append(f'{name} ({problem})')
        results.append(
            dict(
                step,
                problem=problem,
                command=None,
                state='unfinished' if problem else 'finished',
            )
        )
    if failed:
        raise UserError(
            f'{len(failed)} of {len(plan)} rows did not finish: '
            f'{"; ".join(failed)}. The same command goes on where they '
            'stopped'
        )
    return results


def _check_imagenet(names: Sequence[str]) -> None:
    """Checks the image folders of the classifiers that will be trained.

    Raises:
        UserError: If a folder is missing or has another number of class folders.
    """
    if not names:
        return
    for experiment in select_experiments(names=names):
        if experiment.is_classifier:
            _check_folders(experiment.name, Config.fromfile(experiment.config))


def _check_folders(name: str, cfg: Config) -> None:
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        for dataset in innermost_datasets(loader.dataset):
            root, expected = dataset['root'], cfg.model.num_classes
            found = _count_folders(root)
            if found != expected:
                raise UserError(
                    f'{root} must have {expected} class folders for {name}, it has '
                    f'{found or "none"}: put ImageNet into {osp.dirname(root)}/, or '
                    'link it there'
                )


def _count_folders(root: str) -> int:
    if not osp.isdir(root):
        return 0
    with os.scandir(root) as entries:
        return sum(
            entry.is_dir() and not entry.name.startswith('.') for entry in entries
        )


def _run_row(name: str, work_dirs: str, gpus: int, output: IO[str]) -> str | None:
    """Trains, then evaluates unless training has; what went wrong, or None."""
    done: list[str] = []
    while True:
        plan = make_plan(work_dirs, gpus, [name])
        if not plan:
            return None
        (step,) = plan
        if step['command'] is None:
            return step['problem']
        tool = osp.basename(step['command'][0])
        if tool in done:
            return f'{tool} ended without an error, but {step["problem"]}'
        done.append(tool)
        print(' '.join(step['command']), file=output, flush=True)
        try:
            code = subprocess.call(step['command'], stdout=output)
        except KeyboardInterrupt:
            raise UserError(
                f'interrupted in {name}: the same command goes on there'
            ) from None
        if code:
            return f'{tool} ended with {code}, see above'
