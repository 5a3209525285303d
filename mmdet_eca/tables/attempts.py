"""One start of a tool, as mmengine logs it."""

import json
import os.path as osp
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from mmengine.config import Config

from ..errors import UserError


class Unsound(Exception):
    """Why a work directory cannot be used."""


@dataclass
class Attempt:
    """One start of tools/train.py or tools/test.py."""

    timestamp: str
    training: List[Dict]  # every logged step
    evaluations: List[Dict]  # COCO's metrics; 'step' is the epoch
    tested: Optional[Dict]  # COCO's metrics of tools/test.py
    cfg: Config
    gpus: Optional[int]


def one_run(attempts: List[Attempt]) -> List[Attempt]:
    """The attempts of the one run that they are."""
    runs: List[List[Attempt]] = []
    for attempt in attempts:
        if runs and attempt.training[0].get('epoch', 1) > 1:
            runs[-1].append(attempt)
            continue
        if runs and not any(
            s.evaluations or s.training[-1].get('epoch', 1) > 1 for s in runs[-1]
        ):
            runs.pop()  # ended in its first epoch and left nothing
        runs.append([attempt])
    if len(runs) > 1:
        begun = ' and '.join(run[0].timestamp for run in runs)
        raise Unsound(
            f'holds {len(runs)} runs, begun {begun}: keep one and '
            'move the folders of the others elsewhere'
        )
    return runs[0] if runs else []


def read_attempt(folder: str, default: Config) -> Attempt:
    """Reads ``work_dir/<timestamp>``.

    Args:
        folder (str): The folder.
        default (Config): Its config if it has dumped none.

    Raises:
        Unsound: If a log is broken.
    """
    timestamp = osp.basename(folder)
    cfg_file = osp.join(folder, 'vis_data', 'config.py')
    cfg = read_config(cfg_file) if osp.isfile(cfg_file) else default
    rows = _read_lines(osp.join(folder, 'vis_data', 'scalars.json'))
    tested = _read_lines(osp.join(folder, f'{timestamp}.json'))
    return Attempt(
        timestamp,
        training=[row for row in rows if 'loss' in row],
        evaluations=[row for row in rows if _has_results(row)],
        tested=next((row for row in tested if _has_results(row)), None),
        cfg=cfg,
        gpus=_read_gpus(osp.join(folder, f'{timestamp}.log')),
    )


def _has_results(row: Dict) -> bool:
    return any(key.startswith('coco/') for key in row)


def _read_lines(path: str) -> List[Dict[str, Any]]:
    """The objects in a file, one a line; a killed run breaks off the last."""
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
                raise Unsound(
                    f'{osp.basename(path)} is broken: line {number} is not JSON'
                ) from None
    return rows


def _read_gpus(path: str) -> Optional[int]:
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
