"""The training runs in work directories, and whether their results count."""

import glob
import math
import os.path as osp
import re
from dataclasses import dataclass, field
from functools import cache

from mmengine.config import Config

from ..engine import config_path
from ..errors import UserError
from .log_dirs import LogDir, UnusableRun, join_resumed, read_config, read_log_dir
from .paper_rows import AP_COLUMNS
from .schedule import check_crop, check_data_set, check_schedule

# mmdet's names of the columns.
METRICS = dict(zip(AP_COLUMNS, ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')))


@dataclass
class Run:
    """What a work directory holds.

    Args:
        work_dir (str): The folder.
        name (str): Name of the config.
        cfg (Config): The config that ran last.
        state (str): 'finished'; 'unevaluated', trained to its end; 'unfinished',
            to be resumed; or 'unusable'.
        problem (str, optional): Why the run does not count, None if it does.
        training (list[dict]): The logged training steps, those that a resumed
            run repeated once.
        evaluations (list[dict]): The metrics by epoch, likewise: COCO's, or top-1
            and top-5.
        metrics (dict): The metrics of the last checkpoint.
        data_root (str, optional): On what data they were measured, None if the
            config does not say or there are none.
        epochs (int): Number of finished epochs.
        gpus (int, optional): Number of processes, None if it is not logged.
    """

    work_dir: str
    name: str
    cfg: Config
    state: str = 'unusable'
    problem: str | None = None
    training: list[dict] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    data_root: str | None = None
    epochs: int = 0
    gpus: int | None = None

    @property
    def max_epochs(self) -> int:
        """Number of epochs that the config asks for."""
        return self.cfg.train_cfg.max_epochs

    @property
    def is_classifier(self) -> bool:
        """Whether it is a classifier's, else it is a detector's."""
        return 'TopAccuracy' in str(self.cfg.get('val_evaluator'))

    def checkpoint(self, epoch: int | None = None) -> str:
        """File name of an epoch's checkpoint, by default of the last."""
        return f'epoch_{self.max_epochs if epoch is None else epoch}.pth'

    @property
    def tasks(self) -> list[str]:
        """What was evaluated, of 'bbox' and 'segm'."""
        return [task for task in ('bbox', 'segm') if f'coco/{task}_mAP' in self.metrics]

    def ap(self, task: str) -> dict[str, float | None]:
        """AP_COLUMNS of a task in percent; None where COCO has no such objects."""
        values = {
            column: self.metrics.get(f'coco/{task}_{metric}', -1)
            for column, metric in METRICS.items()
        }
        return {
            column: round(100 * value, 1) if value >= 0 else None
            for column, value in values.items()
        }


def find_runs(root: str) -> list[Run]:
    """Reads all work directories of detectors and classifiers below a folder.

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


def read_run(work_dir: str) -> Run | None:
    """Reads a work directory.

    Args:
        work_dir (str): The folder.

    Returns:
        Run | None: What it holds; None if that is neither a detector with COCO's
        metric nor a classifier with top-1 and top-5.

    Raises:
        UserError: If a config in it is broken.
    """
    configs = sorted(glob.glob(osp.join(glob.escape(work_dir), '*.py')))
    if not configs:
        return None
    name = osp.splitext(osp.basename(configs[0]))[0]
    try:
        run = Run(work_dir, name, read_config(configs[0]))
        is_detector = 'CocoMetric' in str(run.cfg.get('val_evaluator'))
        if not is_detector and not run.is_classifier:
            return None
        if len(configs) > 1:
            names = ', '.join(osp.basename(path) for path in configs)
            raise UnusableRun(
                f'holds runs of {len(configs)} configs ({names}): '
                'give each its own work directory'
            )
        folders = glob.glob(osp.join(glob.escape(work_dir), '*', 'vis_data'))
        log_dirs = [read_log_dir(osp.dirname(f), run.cfg) for f in sorted(folders)]
        _add_training(run, join_resumed([log for log in log_dirs if log.training]))
        expected = _config_of_package(name, run.is_classifier)
        _check_training(run, expected)
        _add_results(run, [log for log in log_dirs if log.tested], expected)
        _set_state(run)
    except UnusableRun as error:
        run.problem = str(error)
    return run


def _add_training(run: Run, log_dirs: list[LogDir]) -> None:
    """Joins the logs of a run.

    A resumed run repeats what came after its checkpoint; that counts once.
    """
    for later in log_dirs:
        first = later.training[0]
        run.training = [row for row in run.training if row['step'] < first['step']]
        run.evaluations = [
            row for row in run.evaluations if row['step'] < first.get('epoch', 0)
        ]
        run.training += later.training
        run.evaluations += later.evaluations
        run.cfg, run.gpus = later.cfg, later.gpus


@cache
def _config_of_package(name: str, is_classifier: bool) -> Config | None:
    """The config of this package that has this name, None if there is none."""
    folder = 'imagenet/' if is_classifier else ''
    try:
        return Config.fromfile(config_path(f'{folder}{name}.py'))
    except UserError:
        return None


def _check_training(run: Run, expected: Config | None) -> None:
    """Raises UnusableRun if the training diverged or is not the expected one."""
    if 'max_epochs' not in run.cfg.train_cfg:
        raise UnusableRun('trains by iterations; only runs by epochs are read')
    if expected is not None:
        _refuse(check_data_set(run.cfg.val_dataloader, expected.val_dataloader))
        if run.is_classifier:
            _refuse(check_crop(run.cfg.val_dataloader, expected.val_dataloader))
    for row in run.training:
        if not math.isfinite(row['loss']):
            raise UnusableRun(
                f'diverged: the loss is {row["loss"]} at iteration '
                f'{row["step"]}; remove the folder to train anew'
            )
    if expected is not None:
        _refuse(check_schedule(run.cfg, expected, run.gpus))


def _refuse(problem: str | None) -> None:
    if problem:
        raise UnusableRun(problem)


def _add_results(run: Run, tests: list[LogDir], expected: Config | None) -> None:
    """Sets the metrics of the last checkpoint, by training or by tools/test.py."""
    for row in run.evaluations:
        if row['step'] == run.max_epochs:
            run.metrics = row
            run.data_root = run.cfg.val_dataloader.dataset.get('data_root')
    data_set = (expected or run.cfg).val_dataloader
    for test in tests:
        checkpoint = osp.basename(test.cfg.get('load_from') or '')
        if checkpoint == run.checkpoint() and test.cfg.model.type == run.cfg.model.type:
            _refuse(check_data_set(test.cfg.test_dataloader, data_set))
            run.metrics = test.tested or {}
            run.data_root = test.cfg.test_dataloader.dataset.get('data_root')


def _set_state(run: Run) -> None:
    """Sets the state, the problem and the number of finished epochs."""
    paths = glob.glob(osp.join(glob.escape(run.work_dir), 'epoch_*.pth'))
    found = [re.search(r'epoch_(\d+)\.pth$', path) for path in paths]
    saved = [int(match[1]) for match in found if match]
    evaluated = [row['step'] for row in run.evaluations]
    run.epochs = max([*saved, *evaluated, 0])
    if run.metrics:
        run.state, run.epochs = 'finished', run.max_epochs
    elif run.max_epochs in saved and run.is_classifier:
        _set_unevaluated_classifier(run, saved)
    elif run.max_epochs in saved:
        run.state = 'unevaluated'
        run.problem = f'is not evaluated: test {run.checkpoint()}'
    else:
        run.state = 'unfinished'
        run.problem = (
            f'is unfinished: {run.epochs} of {run.max_epochs} epochs; resume it'
        )


def _set_unevaluated_classifier(run: Run, saved: list[int]) -> None:
    """A classifier is evaluated while it trains, so its last epoch is repeated."""
    before = run.checkpoint(run.max_epochs - 1)
    if run.max_epochs - 1 in saved:
        run.state = 'unevaluated'
        run.problem = f'is not evaluated: resume {before}, which repeats the last epoch'
    else:
        raise UnusableRun(
            f'is not evaluated, and {before}, from which its last epoch could be '
            'repeated, is gone'
        )
