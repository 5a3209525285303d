"""The results that are kept: a JSON file for each table, outside of the package.

Unlike work directories they are committed, so that the runs of several days and
machines add up.
"""

import glob
import json
import os
import os.path as osp
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch

from ..config_paths import config_path
from ..errors import UserError
from ..training.machine import device_name, versions
from ..weights.files import whole_file
from .rows import Row, check_names
from .work_dirs import Run, read_run


@dataclass(frozen=True)
class Record:
    """The results of a finished run.

    Args:
        name (str): Name of its config.
        seed (int): Its seed.
        begun (str): When it was started first, as its work directory names it.
        epochs (int): Number of epochs.
        metrics (dict[str, float]): After the last epoch, COCO's in [0, 1], or top-1
            and top-5 in percent.
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


class KeptResults:
    """The results of rows with seeds, in a folder with a JSON file for each table.

    Args:
        folder (str): The folder; need not exist.
        rows (Sequence[Row]): All rows of the tables.
    """

    def __init__(self, folder: str, rows: Sequence[Row]) -> None:
        self.folder = folder
        self.rows = {row.name: row for row in rows}

    def read(self) -> list[Record]:
        """Reads all results, by table, name and seed.

        Raises:
            UserError: If a file is none of :meth:`keep`.
        """
        paths = dict.fromkeys(self._path(name) for name in self.rows)
        return [record for path in paths for record in self._read_table(path)]

    def keep(self, record: Record) -> None:
        """Writes the results of a run, unless some of its row and seed are kept."""
        path = self._path(record.name)
        records = {(other.name, other.seed): other for other in self._read_table(path)}
        if (record.name, record.seed) in records:
            return
        records[record.name, record.seed] = record
        lines = [json.dumps(asdict(records[key])) for key in sorted(records)]
        os.makedirs(self.folder, exist_ok=True)
        with whole_file(path) as unfinished, open(unfinished, 'w') as file:
            file.write('[\n ' + ',\n '.join(lines) + '\n]\n')

    def keep_finished(self, work_dirs: str) -> dict[tuple[str, int], Run]:
        """Writes the results of finished work directories that are not kept yet.

        Returns:
            dict: All work directories of the rows, by name and seed.
        """
        runs: dict[tuple[str, int], Run] = {}
        for row in self.rows.values():
            pattern = glob.escape(osp.join(work_dirs, row.folder, row.name))
            for path in glob.glob(osp.join(pattern, 'seed_*')):
                number = osp.basename(path).removeprefix('seed_')
                run = read_run(path, row.evaluation_data)
                if number.isdecimal() and run:
                    runs[row.name, int(number)] = run
        for (_, seed), run in runs.items():
            if run.state == 'finished':
                self.keep(as_record(run, seed))
        return runs

    def _path(self, name: str) -> str:
        table = self.rows[name].group.lower().replace(' ', '_').replace('-', '')
        return osp.join(self.folder, f'{table}.json')

    def _read_table(self, path: str) -> list[Record]:
        if not osp.exists(path):
            return []
        try:
            with open(path, encoding='utf-8') as file:
                records = [Record(**record) for record in json.load(file)]
            check_names([r.name for r in records], self.rows)
            for name in {record.name for record in records}:
                if self._path(name) != path:
                    raise ValueError(f'{name} is in {self._path(name)}')
            if len({(record.name, record.seed) for record in records}) < len(records):
                raise ValueError('a run is there twice')
        except (ValueError, TypeError, UserError) as error:
            raise UserError(
                f'{path} holds no results of runs ({error}): remove it, or restore it '
                'from the repository'
            ) from None
        return records


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
