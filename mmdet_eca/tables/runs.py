"""What mmengine left in a work directory, and whether it is a sound run."""

import glob
import math
import os.path as osp
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Dict, List, Optional

from mmengine.config import Config

from ..engine import config_path
from ..errors import UserError
from .attempts import Attempt, Unsound, one_run, read_attempt, read_config
from .rows import COLUMNS
from .schedule import check_data_set, check_schedule

# mmdet's names of the columns.
METRICS = dict(zip(COLUMNS, ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')))


@dataclass
class Run:
    """A work directory.

    ``state`` is 'finished', 'unevaluated' (trained to its end), 'unfinished'
    (to be resumed) or 'unsound'; ``problem`` says why it does not count.
    """

    work_dir: str
    name: str  # of the config
    cfg: Config
    state: str = 'unsound'
    problem: Optional[str] = None
    training: List[Dict] = field(default_factory=list)
    evaluations: List[Dict] = field(default_factory=list)
    metrics: Dict[str, float] = field(default_factory=dict)
    epochs: int = 0  # finished ones
    gpus: Optional[int] = None

    @property
    def max_epochs(self) -> int:
        return self.cfg.train_cfg.max_epochs

    @property
    def tasks(self) -> List[str]:
        """'bbox', 'segm': what was evaluated."""
        return [task for task in ('bbox', 'segm') if f'coco/{task}_mAP' in self.metrics]

    def columns(self, task: str) -> Dict[str, Optional[float]]:
        """COLUMNS of a task in percent; None if there are no such objects."""
        values = {
            column: self.metrics.get(f'coco/{task}_{metric}', -1)
            for column, metric in METRICS.items()
        }
        return {
            column: round(100 * value, 1) if value >= 0 else None
            for column, value in values.items()
        }


def find_runs(root: str) -> List[Run]:
    """Reads all work directories of detectors below a folder.

    Raises:
        UserError: If there is no such folder.
    """
    if not osp.isdir(root):
        raise UserError(
            f'there is no folder {root}: give the one that the '
            'work directories are in with --work-dirs'
        )
    folders = {
        osp.dirname(osp.dirname(path))
        for path in glob.glob(
            osp.join(glob.escape(root), '**', '*', 'vis_data'), recursive=True
        )
        if re.fullmatch(r'\d{8}_\d{6}', osp.basename(osp.dirname(path)))
    }
    runs = [read_run(folder) for folder in sorted(folders)]
    return [run for run in runs if run is not None]


def read_run(work_dir: str) -> Optional[Run]:
    """Reads a work directory; None if it is not one of a COCO detector."""
    configs = sorted(glob.glob(osp.join(glob.escape(work_dir), '*.py')))
    if not configs:
        return None
    name = osp.splitext(osp.basename(configs[0]))[0]
    try:
        run = Run(work_dir, name, read_config(configs[0]))
        if 'CocoMetric' not in str(run.cfg.get('val_evaluator')):
            return None
        if len(configs) > 1:
            names = ', '.join(osp.basename(path) for path in configs)
            raise Unsound(
                f'holds runs of {len(configs)} configs ({names}): '
                'give each its own work directory'
            )
        _read_attempts(run)
    except Unsound as error:
        run.problem = str(error)
    return run


def _read_attempts(run: Run) -> None:
    """Fills in a run; raises Unsound."""
    logs = glob.glob(osp.join(glob.escape(run.work_dir), '*', 'vis_data'))
    attempts = [read_attempt(osp.dirname(log), run.cfg) for log in sorted(logs)]
    trained = one_run([s for s in attempts if s.training])
    for later in trained:
        # A resumed run repeats what came after its checkpoint.
        first = later.training[0]
        run.training = [r for r in run.training if r['step'] < first['step']]
        run.evaluations = [
            r for r in run.evaluations if r['step'] < first.get('epoch', 0)
        ]
        run.training += later.training
        run.evaluations += later.evaluations
        run.cfg, run.gpus = later.cfg, later.gpus
    if 'max_epochs' not in run.cfg.train_cfg:
        raise Unsound('trains by iterations; only runs by epochs are read')
    stated = _stated_config(run.name)
    if stated is not None:
        _refuse(check_data_set(run.cfg.val_dataloader, stated.val_dataloader))
    for row in run.training:
        if not math.isfinite(row['loss']):
            raise Unsound(
                f'diverged: the loss is {row["loss"]} at iteration '
                f'{row["step"]}; remove the folder to train anew'
            )
    if stated is not None:
        _refuse(check_schedule(run.cfg, stated, run.gpus))
    _judge(run, [s for s in attempts if s.tested], stated)


def _refuse(problem: Optional[str]) -> None:
    if problem:
        raise Unsound(problem)


@lru_cache(maxsize=None)
def _stated_config(name: str) -> Optional[Config]:
    """The config of this package that a run is named after."""
    try:
        return Config.fromfile(config_path(f'{name}.py'))
    except UserError:
        return None


def _judge(run: Run, tests: List[Attempt], stated: Optional[Config]) -> None:
    """Sets state, problem, metrics and the number of finished epochs."""
    last = f'epoch_{run.max_epochs}.pth'
    for row in run.evaluations:
        if row['step'] == run.max_epochs:
            run.metrics = row
    for attempt in tests:
        if (
            osp.basename(attempt.cfg.get('load_from') or '') == last
            and attempt.cfg.model.type == run.cfg.model.type
        ):
            _refuse(
                check_data_set(
                    attempt.cfg.test_dataloader, (stated or run.cfg).val_dataloader
                )
            )
            run.metrics = attempt.tested
    saved = [
        int(re.search(r'epoch_(\d+)\.pth$', path)[1])
        for path in glob.glob(osp.join(glob.escape(run.work_dir), 'epoch_*.pth'))
        if re.search(r'epoch_(\d+)\.pth$', path)
    ]
    run.epochs = max([*saved, *(row['step'] for row in run.evaluations), 0])
    if run.metrics:
        run.state, run.epochs = 'finished', run.max_epochs
    elif osp.isfile(osp.join(run.work_dir, last)):
        run.state = 'unevaluated'
        run.problem = f'is not evaluated: test {last}'
    else:
        run.state = 'unfinished'
        run.problem = (
            f'is unfinished: {run.epochs} of {run.max_epochs} epochs; resume it'
        )
