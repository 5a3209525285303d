"""The timestamped folders of a work directory, in which mmengine logs."""

import json
import os.path as osp
import re
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from ..errors import UserError


class UnusableRun(Exception):
    """Says why the results in a work directory cannot be used."""


@dataclass
class LogDir:
    """What one start of tools/train.py or tools/test.py logged.

    Args:
        timestamp (str): Name of the folder.
        training (list[dict]): The logged training steps.
        evaluations (list[dict]): The metrics of each evaluation while it
            trained, COCO's or top-1 and top-5; ``step`` is the epoch.
        tested (dict, optional): COCO's metrics of tools/test.py.
        cfg (Config): The config that it ran.
        gpus (int, optional): Number of processes, None if it is not logged.
    """

    timestamp: str
    training: list[dict]
    evaluations: list[dict]
    tested: dict | None
    cfg: Config
    gpus: int | None


def join_resumed(log_dirs: list[LogDir]) -> list[LogDir]:
    """Picks the folders of the one training run in a work directory.

    A run has several if it was resumed. A start that ended in its first epoch
    is left out, as it has saved nothing.

    Args:
        log_dirs (list[LogDir]): Those that have training steps, in order.

    Raises:
        UnusableRun: If there are several runs.
    """
    runs: list[list[LogDir]] = []
    for log_dir in log_dirs:
        if runs and log_dir.training[0].get('epoch', 1) > 1:
            runs[-1].append(log_dir)
            continue
        if runs and not any(
            part.evaluations or part.training[-1].get('epoch', 1) > 1
            for part in runs[-1]
        ):
            runs.pop()
        runs.append([log_dir])
    if len(runs) > 1:
        begun = ' and '.join(run[0].timestamp for run in runs)
        raise UnusableRun(
            f'holds {len(runs)} runs, begun {begun}: keep one and '
            'move the folders of the others elsewhere'
        )
    return runs[0] if runs else []


def read_log_dir(folder: str, default: Config) -> LogDir:
    """Reads ``work_dir/<timestamp>``.

    Args:
        folder (str): The folder.
        default (Config): The config to assume if none was dumped there.

    Raises:
        UnusableRun: If a log is broken.
        UserError: If the dumped config is broken.
    """
    timestamp = osp.basename(folder)
    cfg_file = osp.join(folder, 'vis_data', 'config.py')
    cfg = read_config(cfg_file) if osp.isfile(cfg_file) else default
    rows = _read_lines(osp.join(folder, 'vis_data', 'scalars.json'))
    tested = _read_lines(osp.join(folder, f'{timestamp}.json'))
    return LogDir(
        timestamp,
        training=[row for row in rows if 'loss' in row],
        evaluations=[row for row in rows if _has_results(row)],
        tested=next((row for row in tested if _has_results(row)), None),
        cfg=cfg,
        gpus=_read_gpus(osp.join(folder, f'{timestamp}.log')),
    )


def _has_results(row: dict) -> bool:
    return any(key == 'top1' or key.startswith('coco/') for key in row)


def _read_lines(path: str) -> list[dict[str, Any]]:
    """The JSON objects in a file, one a line.

    A killed run leaves a broken last line, which is not counted.
    """
    if not osp.isfile(path):
        return []
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = file.read().splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise UnusableRun(
                    f'{osp.basename(path)} is broken: line {number} is not JSON'
                ) from None
    return rows


def _read_gpus(path: str) -> int | None:
    """Number of processes, from the environment that mmengine logs first."""
    if not osp.isfile(path):
        return None
    with open(path, encoding='utf-8', errors='replace') as file:
        found = re.search(r'GPU number: (\d+)', file.read(2**16))
    return int(found[1]) if found else None


def read_config(path: str) -> Config:
    """Reads a dumped config.

    Raises:
        UserError: If it is broken.
    """
    try:
        return Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # whatever a cut-off Python file gives
        raise UserError(
            f'{path} is no config that can be read ({error}): remove its folder'
        ) from None
