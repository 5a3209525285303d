"""The training runs in work directories, and whether their results count."""

import contextlib
import copy
import glob
import json
import math
import os.path as osp
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any, NamedTuple

from mmengine.config import Config

from ..config_paths import config_path
from ..errors import UserError
from ..training.safe_training import use_safe_training
from .paper_rows import AP_COLUMNS
from .stated_settings import SECTIONS, find_difference

# mmdet's names of the columns.
METRICS = dict(zip(AP_COLUMNS, ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')))


@dataclass
class Run:
    """The training in a work directory.

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
        data_root (str, optional): The folder of the data set that they were measured
            on, None if the config does not say or there are none.
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
        """Returns the path of an epoch's checkpoint, by default of the last."""
        name = f'epoch_{self.max_epochs if epoch is None else epoch}.pth'
        return osp.join(self.work_dir, name)

    def step_time(self) -> float | None:
        """Returns the median time of a training step in seconds, None without one."""
        times = [row['time'] for row in self.training if 'time' in row]
        return median(times) if times else None


def in_percent(metrics: Mapping[str, float], name: str) -> float | None:
    """Returns a metric in percent, None without one.

    COCO's are from 0 to 1 in the logs, or -1 where there are no such objects.
    """
    value = metrics.get(name, -1)
    if value < 0:
        return None
    return 100 * value if name.startswith('coco/') else value


class _Unusable(Exception):
    """Says why the results in a work directory cannot be used."""


class _Start(NamedTuple):
    """The logs of one start of a training or of tools/test.py."""

    timestamp: str
    training: list[dict]
    evaluations: list[dict]
    tested: dict | None
    cfg: Config
    gpus: int | None


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
    pattern = osp.join(glob.escape(root), '**', '*', 'vis_data')
    starts = map(osp.dirname, glob.glob(pattern, recursive=True))
    folders = {
        osp.dirname(start)
        for start in starts
        if re.fullmatch(r'\d{8}_\d{6}', osp.basename(start))
    }
    runs = [read_run(folder) for folder in sorted(folders)]
    return [run for run in runs if run is not None]


def read_run(work_dir: str, evaluation_data: str | None = None) -> Run | None:
    """Reads a work directory.

    Args:
        work_dir (str): The folder.
        evaluation_data (str, optional): The folder of the data set whose results
            count; with others, a run is 'unevaluated'. By default that of the config.

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
    run = Run(work_dir, name, _read_config(configs[0]))
    is_detector = 'CocoMetric' in str(run.cfg.get('val_evaluator'))
    if not is_detector and not run.is_classifier:
        return None
    try:
        if len(configs) > 1:
            raise _Unusable(
                f'holds runs of {len(configs)} configs '
                f'({", ".join(map(osp.basename, configs))}): give each its own work '
                'directory'
            )
        folders = glob.glob(osp.join(glob.escape(work_dir), '*', 'vis_data'))
        starts = [_read_start(osp.dirname(f), run.cfg) for f in sorted(folders)]
        _add_training(run, [start for start in starts if start.training])
        expected = _config_of_package(name, run.is_classifier)
        _check_training(run, expected)
        _add_metrics(run, starts, expected)
        _set_state(run)
    except _Unusable as error:
        run.problem = str(error)
    on_other_data = (run.data_root or '').rstrip('/') != evaluation_data
    if evaluation_data and on_other_data and run.state == 'finished':
        run.state = 'unevaluated'
        checkpoint = osp.basename(run.checkpoint())
        run.problem = f'is not evaluated on {evaluation_data}: test {checkpoint}'
    return run


def _read_start(folder: str, default: Config) -> _Start:
    """Reads ``work_dir/TIMESTAMP``; ``default`` is its config if none was dumped."""
    timestamp = osp.basename(folder)
    cfg_file = osp.join(folder, 'vis_data', 'config.py')
    rows = _read_lines(osp.join(folder, 'vis_data', 'scalars.json'))
    tested = _read_lines(osp.join(folder, f'{timestamp}.json'))
    gpus = None
    if osp.isfile(log := osp.join(folder, f'{timestamp}.log')):
        with open(log, encoding='utf-8', errors='replace') as file:
            # In the environment, which mmengine logs first.
            found = re.search(r'GPU number: (\d+)', file.read(2**16))
        gpus = int(found[1]) if found else None
    return _Start(
        timestamp,
        training=[row for row in rows if 'loss' in row],
        evaluations=[row for row in rows if _has_results(row)],
        tested=next((row for row in tested if _has_results(row)), None),
        cfg=_read_config(cfg_file) if osp.isfile(cfg_file) else default,
        gpus=gpus,
    )


def _has_results(row: dict) -> bool:
    return any(key == 'top1' or key.startswith('coco/') for key in row)


def _read_lines(path: str) -> list[dict[str, Any]]:
    """Reads the JSON objects in a file, one a line; a killed run breaks its last."""
    rows: list[dict[str, Any]] = []
    if osp.isfile(path):
        with open(path, encoding='utf-8', errors='replace') as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
    return rows


def _read_config(path: str) -> Config:
    try:
        return Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # whatever a cut-off Python file gives
        raise UserError(
            f'{path} is no config that can be read ({error}): remove its folder'
        ) from None


@cache
def _config_of_package(name: str, is_classifier: bool) -> Config | None:
    """Returns the config of this package that has this name, None if there is none."""
    folder = 'imagenet/' if is_classifier else ''
    try:
        return Config.fromfile(config_path(f'{folder}{name}.py'))
    except UserError:
        return None


def _add_training(run: Run, starts: Sequence[_Start]) -> None:
    """Joins the logs of a run.

    A resumed run repeats what came after its checkpoint; that counts once. A start
    that ended in its first epoch has saved nothing and is left out.
    """
    begun: list[str] = []
    for start in starts:
        first = start.training[0]
        if first.get('epoch', 1) == 1:  # from scratch
            if begun and not run.evaluations and run.training[-1].get('epoch') == 1:
                begun.pop()
            begun.append(start.timestamp)
        run.training = [row for row in run.training if row['step'] < first['step']]
        run.evaluations = [
            row for row in run.evaluations if row['step'] < first.get('epoch', 0)
        ]
        run.training += start.training
        run.evaluations += start.evaluations
        run.cfg, run.gpus = start.cfg, start.gpus
    if len(begun) > 1:
        raise _Unusable(
            f'holds {len(begun)} runs, begun {" and ".join(begun)}: keep one and '
            'move the folders of the others elsewhere'
        )


def _check_training(run: Run, expected: Config | None) -> None:
    """Raises _Unusable if the training diverged or is not the expected one."""
    if 'max_epochs' not in run.cfg.train_cfg:
        raise _Unusable('trains by iterations; only runs by epochs are read')
    for row in run.training:
        if not math.isfinite(row['loss']):
            raise _Unusable(
                f'diverged: the loss is {row["loss"]} at iteration {row["step"]}; '
                'remove the folder to train from scratch'
            )
    if expected is None:
        return
    scaled = run.cfg.get('auto_scale_lr', {}).get('enable', False)
    # A run of MMDetection's own train.py lacks what our training adds.
    found, stated = copy.deepcopy(run.cfg), copy.deepcopy(expected)
    for cfg in (found, stated):
        use_safe_training(cfg)
    # The learning rate follows the batch then, so that any will do.
    free = ['train_dataloader.batch_size'] if scaled else []
    _check_same(found, stated, SECTIONS, free)
    batch = expected.auto_scale_lr.base_batch_size
    if run.gpus is not None and not scaled:
        total = run.gpus * run.cfg.train_dataloader.batch_size
        if total != batch:
            raise _Unusable(
                f'was trained with {total} images a step, not {batch}, at the '
                f'learning rate of {batch}; train with --auto-scale-lr'
            )


def _check_same(
    cfg: Config, expected: Config, sections: Sequence[str], free: Sequence[str] = ()
) -> None:
    """Raises _Unusable with the first setting that differs from the expected config."""
    if difference := find_difference(cfg, expected, sections, free):
        raise _Unusable(f'was not trained or evaluated as stated: {difference}')


def _add_metrics(run: Run, starts: Sequence[_Start], expected: Config | None) -> None:
    """Sets the metrics of the last checkpoint, by training or by tools/test.py."""
    for row in run.evaluations:
        if row['step'] == run.max_epochs:
            run.metrics = row
            run.data_root = run.cfg.val_dataloader.dataset.get('data_root')
    # What a config is tested on by the tool is what it is validated on.
    stated = Config(dict(test_dataloader=(expected or run.cfg).val_dataloader))
    for start in starts:
        checkpoint = osp.basename(start.cfg.get('load_from') or '')
        if (
            start.tested
            and checkpoint == osp.basename(run.checkpoint())
            and start.cfg.model.type == run.cfg.model.type
        ):
            _check_same(start.cfg, stated, ['test_dataloader.dataset'])
            run.metrics = start.tested
            run.data_root = start.cfg.test_dataloader.dataset.get('data_root')


def _set_state(run: Run) -> None:
    """Sets the state, the problem and the number of finished epochs."""
    paths = glob.glob(osp.join(glob.escape(run.work_dir), 'epoch_*.pth'))
    found = [re.search(r'epoch_(\d+)\.pth$', path) for path in paths]
    saved = [int(match[1]) for match in found if match]
    run.epochs = max([*saved, *(row['step'] for row in run.evaluations), 0])
    if run.metrics:
        run.state, run.epochs = 'finished', run.max_epochs
    elif run.max_epochs not in saved:
        run.state = 'unfinished'
        run.problem = (
            f'is unfinished: {run.epochs} of {run.max_epochs} epochs; resume it'
        )
    elif not run.is_classifier:
        run.state = 'unevaluated'
        run.problem = f'is not evaluated: test {osp.basename(run.checkpoint())}'
    else:
        # A classifier is evaluated while it trains, so its last epoch is repeated.
        before = osp.basename(run.checkpoint(run.max_epochs - 1))
        if run.max_epochs - 1 not in saved:
            raise _Unusable(
                f'is not evaluated, and {before}, from which its last epoch could be '
                'repeated, is gone'
            )
        run.state = 'unevaluated'
        run.problem = f'is not evaluated: resume {before}, which repeats the last epoch'
