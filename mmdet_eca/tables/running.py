"""Trains and evaluates the rows of the tables, one after another."""

import os.path as osp
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any, Optional

from ..errors import UserError
from .plan import make_plan


def run_rows(
    names: Sequence[str], work_dirs: str, gpus: int, output: Optional[IO[str]] = None
) -> list[dict[str, Any]]:
    """Trains and evaluates what the plan lists, one row after another.

    Stopped at any point, the same call goes on there. A row that fails does
    not keep the others from running.

    Args:
        names (Sequence[str]): Rows to run; all if empty.
        work_dirs (str): Folder of the work directories.
        gpus (int): GPUs for each run.
        output (file, optional): Where the runs' output and the progress go.

    Returns:
        list[dict]: As of :func:`make_plan`, with the ``state`` reached.

    Raises:
        UserError: At the end, if rows did not finish, naming them.
    """
    output = output or sys.stdout
    plan = make_plan(work_dirs, gpus, names)
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


def _run_row(name: str, work_dirs: str, gpus: int, output: IO[str]) -> Optional[str]:
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
