"""The results that are kept: a small file for each run.

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

from ...checkpoints.files import whole_file
from ...engine import config_path, device_name, versions
from ...errors import UserError
from ..runs import Run
from .evaluation import read_small_run
from .rows import SmallRow, small_rows

FOLDER = 'digits'


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
        commit (str, optional): Of this package, None if it is not in a repository.
        device (str): The GPU or CPU.
        versions (str): Of torch and mmcv.
    """

    name: str
    seed: int
    begun: str
    epochs: int
    metrics: dict[str, float]
    commit: str | None
    device: str
    versions: str


def work_dir_of(work_dirs: str, row: SmallRow, seed: int) -> str:
    """The work directory of a run."""
    return osp.join(work_dirs, FOLDER, row.name, f'seed_{seed}')


def record_path(results: str, name: str, seed: int) -> str:
    """The file that keeps the results of a run."""
    return osp.join(results, FOLDER, name, f'seed_{seed}.json')


def read_records(results: str) -> list[Record]:
    """Reads all results that are kept, by name and seed.

    Args:
        results (str): The folder; need not exist.

    Raises:
        UserError: If a file is none of :func:`keep_results`.
    """
    records = []
    for path in glob.glob(osp.join(glob.escape(results), FOLDER, '*', 'seed_*.json')):
        try:
            with open(path, encoding='utf-8') as file:
                record = Record(**json.load(file))
            expected = record_path(results, record.name, record.seed)
            if osp.realpath(path) != osp.realpath(expected):
                raise ValueError(f'it is of {record.name}, seed {record.seed}')
        except (ValueError, TypeError) as error:
            raise UserError(
                f'{path} holds no results of a run ({error}): remove it, or restore '
                'it from the repository'
            ) from None
        records.append(record)
    return sorted(records, key=lambda record: (record.name, record.seed))


def find_small_runs(work_dirs: str) -> dict[tuple[str, int], Run]:
    """Reads the work directories of the rows, by name and seed."""
    runs = {}
    for row in small_rows():
        pattern = osp.join(glob.escape(osp.join(work_dirs, FOLDER, row.name)), 'seed_*')
        for path in glob.glob(pattern):
            number = osp.basename(path)[len('seed_') :]
            run = read_small_run(path, row) if number.isdecimal() else None
            if run is not None:
                runs[row.name, int(number)] = run
    return runs


def as_record(run: Run, seed: int) -> Record:
    """What is kept of a finished run; it is said to have run here and now."""
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    starts = glob.glob(osp.join(glob.escape(run.work_dir), '*', 'vis_data'))
    begun = min(osp.basename(osp.dirname(path)) for path in starts)
    return Record(
        name=run.name,
        seed=seed,
        begun=begun,
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


def keep_results(work_dirs: str, results: str) -> None:
    """Writes the results of finished runs that are not kept yet.

    Args:
        work_dirs (str): Folder of the work directories.
        results (str): Folder of the results.
    """
    for (_, seed), run in find_small_runs(work_dirs).items():
        if run.state == 'finished':
            keep(as_record(run, seed), results)


def keep(record: Record, results: str) -> None:
    """Writes the results of a run, unless some of its row and seed are kept."""
    path = record_path(results, record.name, record.seed)
    if osp.exists(path):
        return
    os.makedirs(osp.dirname(path), exist_ok=True)
    with whole_file(path) as unfinished, open(unfinished, 'w') as file:
        json.dump(asdict(record), file, indent=1)
        file.write('\n')


def _commit() -> str | None:
    """The commit of this package, with '-dirty' if tracked files differ from it."""
    root = osp.dirname(osp.dirname(config_path(f'digits/{small_rows()[0].name}.py')))
    words = ['git', 'describe', '--always', '--dirty', '--exclude=*']
    if not osp.exists(osp.join(osp.dirname(root), '.git')) or not shutil.which('git'):
        return None
    done = subprocess.run(words, cwd=root, text=True, capture_output=True, check=False)
    return done.stdout.strip() or None
