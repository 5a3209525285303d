"""The results on Digits-COCO that are kept: a JSON file for each table.

Unlike work directories they are committed, so that the runs of several days and
machines add up.
"""

import glob
import json
import os
import os.path as osp
import shutil
import subprocess
from dataclasses import asdict, dataclass

import torch

from ..config_paths import config_path
from ..errors import UserError
from ..training.machine import device_name, versions
from .digits_rows import FOLDER, DigitsRow, digits_rows
from .work_dirs import Run, read_run


@dataclass(frozen=True)
class Record:
    """The results of a finished run.

    Args:
        name (str): Name of its config.
        seed (int): Its seed.
        begun (str): When it was started first, as its work directory names it.
        epochs (int): Number of epochs.
        metrics (dict[str, float]): After the last epoch, COCO's on a thousand images,
            in [0, 1], or top-1 and top-5 in percent.
        commit (str, optional): Commit of this package, None if it is not in a
            repository.
        device (str): The GPU or CPU.
        versions (str): The versions of torch and mmcv.
    """

    name: str
    seed: int
    begun: str
    epochs: int
    metrics: dict[str, float]
    commit: str | None
    device: str
    versions: str


def work_dir_of(work_dirs: str, row: DigitsRow, seed: int) -> str:
    """Returns the work directory of a run."""
    return osp.join(work_dirs, FOLDER, row.name, f'seed_{seed}')


def results_path(results: str, row: DigitsRow) -> str:
    """Returns the file that keeps the results of the row's table."""
    name = row.group.lower().replace(' ', '_').replace('-', '')
    return osp.join(results, f'{name}.json')


def read_records(results: str) -> list[Record]:
    """Reads all results that are kept, by table, name and seed.

    Args:
        results (str): The folder; need not exist.

    Raises:
        UserError: If a file is none of :func:`keep`.
    """
    paths = dict.fromkeys(results_path(results, row) for row in digits_rows())
    return [record for path in paths for record in _read_table(path)]


def _read_table(path: str) -> list[Record]:
    if not osp.exists(path):
        return []
    try:
        with open(path, encoding='utf-8') as file:
            records = [Record(**record) for record in json.load(file)]
        for row in digits_rows(sorted({record.name for record in records})):
            if osp.basename(results_path('', row)) != osp.basename(path):
                raise ValueError(f'{row.name} is in {results_path("", row)}')
        keys = [(record.name, record.seed) for record in records]
        if len(keys) != len(set(keys)):
            raise ValueError('a run is there twice')
    except (ValueError, TypeError, UserError) as error:
        raise UserError(
            f'{path} holds no results of runs ({error}): remove it, or restore it '
            'from the repository'
        ) from None
    return records


def keep(record: Record, results: str) -> None:
    """Writes the results of a run, unless some of its row and seed are kept."""
    (row,) = digits_rows([record.name])
    path = results_path(results, row)
    records = {(other.name, other.seed): other for other in _read_table(path)}
    if (record.name, record.seed) in records:
        return
    records[record.name, record.seed] = record
    lines = [json.dumps(asdict(records[key])) for key in sorted(records)]
    os.makedirs(results, exist_ok=True)
    with open(f'{path}.part', 'w', encoding='utf-8') as file:
        file.write('[\n ' + ',\n '.join(lines) + '\n]\n')
    os.replace(f'{path}.part', path)


def keep_results(work_dirs: str, results: str) -> None:
    """Writes the results of finished work directories that are not kept yet."""
    for (_, seed), run in find_digits_runs(work_dirs).items():
        if run.state == 'finished':
            keep(as_record(run, seed), results)


def read_digits_run(work_dir: str, row: DigitsRow) -> Run | None:
    """Reads the work directory of a run; see :func:`read_run`.

    Results of a detector on other images do not count: then it is 'unevaluated'.
    """
    run = read_run(work_dir)
    if row.is_classifier or run is None or run.state != 'finished':
        return run
    if (run.data_root or '').rstrip('/') != row.evaluation_data:
        run.state = 'unevaluated'
        run.problem = (
            f'is not evaluated on {row.evaluation_data}: test '
            f'{osp.basename(run.checkpoint())}'
        )
    return run


def find_digits_runs(work_dirs: str) -> dict[tuple[str, int], Run]:
    """Reads the work directories of the rows, by name and seed."""
    runs = {}
    for row in digits_rows():
        pattern = osp.join(glob.escape(osp.join(work_dirs, FOLDER, row.name)), 'seed_*')
        for path in glob.glob(pattern):
            number = osp.basename(path).removeprefix('seed_')
            run = read_digits_run(path, row) if number.isdecimal() else None
            if run is not None:
                runs[row.name, int(number)] = run
    return runs


def as_record(run: Run, seed: int) -> Record:
    """Returns what is kept of a finished run, as one of this machine and commit."""
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    starts = glob.glob(osp.join(glob.escape(run.work_dir), '*', 'vis_data'))
    return Record(
        name=run.name,
        seed=seed,
        begun=min(osp.basename(osp.dirname(path)) for path in starts),
        epochs=run.max_epochs,
        metrics={
            name: value
            for name, value in run.metrics.items()
            if name in ('top1', 'top5') or name.startswith('coco/')
        },
        commit=_commit(),
        device=device_name(device),
        versions=versions(device),
    )


def _commit() -> str | None:
    """Returns this package's commit, with '-dirty' if tracked files differ from it."""
    root = osp.dirname(osp.dirname(config_path('mask_rcnn_eca_r50_fpn_1x.py')))
    if not osp.exists(osp.join(root, '.git')) or not shutil.which('git'):
        return None
    words = ['git', 'describe', '--always', '--dirty', '--exclude=*']
    done = subprocess.run(words, cwd=root, text=True, capture_output=True, check=False)
    return done.stdout.strip() or None
