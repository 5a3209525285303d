"""The demo: makes data, trains and evaluates a detector, and draws pictures."""

import glob
import json
import os
import os.path as osp
import time

from mmengine.config import Config
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint

from ..config_paths import config_path, find_config, tool_path
from ..errors import UserError
from ..training.cli import set_epochs
from ..training.runner import build_runner
from ..visualization import draw_curves, draw_predictions, text_table
from ..weights.files import whole_file
from .dataset import make_digits

# A shorter schedule than that of the configs, with which the digits' tables were made:
# they pretrain for 16 epochs, and both learning rates are half as high.
PRETRAINING = dict(lr=4e-3, betas=(0.9, 0.98))
PRETRAINING_EPOCHS = 6
LEARNING_RATE = 2e-3
PRETRAINING_CONFIG = 'digits/eca_resnet50_digits.py'
COCO_CONFIG = 'configs/mask_rcnn_eca_r50_fpn_1x.py'
# AP that every working installation reaches; docs/paper_tables.md has usual figures.
MIN_AP = {'bbox': 0.35, 'segm': 0.30}
NAMES = {'bbox': 'box', 'segm': 'mask'}
COLUMNS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


def run_demo(config: str, work_dir: str, seed: int) -> None:
    """Makes Digits-COCO, trains and evaluates a detector, draws and reports.

    The backbone is pretrained as a classifier of the training set's digits; without
    that the detector's classifier learns hardly anything for half of the training.

    A finished run is only reported again. An interrupted run is resumed from its
    last checkpoint.

    Args:
        config (str): A config of ``configs/digits``, found as
            :func:`find_config` does.
        work_dir (str): The folder for ``run.json`` (config and seed),
            ``results.json``, ``coco.txt``, ``curves.png``, ``predictions.png`` and
            the checkpoints.
        seed (int): Seed of the training.

    Raises:
        UserError: If ``work_dir`` holds another run, or the AP is below ``MIN_AP``.
    """
    config = find_config(config)
    _record_run(work_dir, config, seed)
    results = _read_json(osp.join(work_dir, 'results.json'))
    if results is None:
        results = _train(config, work_dir, seed)
    table = _coco_table(results['metrics'])
    with open(osp.join(work_dir, 'coco.txt'), 'w') as file:
        file.write(table)
    _report(results, table, work_dir)
    for task, min_ap in MIN_AP.items():
        ap = results['metrics'].get(f'coco/{task}_mAP', min_ap)
        if not ap >= min_ap:  # also if it is NaN
            raise UserError(
                f'{NAMES[task]} AP {ap:.3f} is below {min_ap}, which this demo '
                'reaches: something in this installation is off'
            )


def _train(config: str, work_dir: str, seed: int) -> dict:
    start = time.time()
    cfg = Config.fromfile(config)
    print(make_digits(cfg.train_dataloader.dataset.data_root.rstrip('/')))
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=_pretrained_backbone(work_dir, seed)
    )
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    evaluations = _Evaluations()
    runner = _run(cfg, work_dir, seed, evaluations)
    if not evaluations.metrics:  # the run was resumed at its end
        runner.val()
    results = dict(
        config=config,
        seed=seed,
        minutes=(time.time() - start) / 60,
        checkpoint=find_latest_checkpoint(work_dir),
        metrics={name: float(value) for name, value in evaluations.metrics.items()},
    )
    _write_json(osp.join(work_dir, 'results.json'), results)
    return results


class _Evaluations(Hook):
    """Draws predictions and curves after each evaluation; keeps the last metrics."""

    priority = 'VERY_LOW'  # after the logger, whose file has the curves

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        self.metrics = metrics or {}
        work_dir = runner.work_dir
        draw_predictions(
            runner.model,
            runner.val_dataloader.dataset,
            osp.join(work_dir, 'predictions.png'),
        )
        scalars = glob.glob(
            osp.join(glob.escape(work_dir), '*', 'vis_data', 'scalars.json')
        )
        draw_curves(sorted(scalars), osp.join(work_dir, 'curves.png'))


def _pretrained_backbone(work_dir: str, seed: int) -> str:
    """Returns the path of the pretrained backbone, and trains it first if need be."""
    folder = osp.join(work_dir, 'pretraining')
    pattern = osp.join(glob.escape(folder), '*-backbone-*.pth')
    if not glob.glob(pattern):
        cfg = Config.fromfile(config_path(PRETRAINING_CONFIG))
        set_epochs(cfg, PRETRAINING_EPOCHS)
        cfg.optim_wrapper.optimizer.update(PRETRAINING)
        _run(cfg, folder, seed)
    (backbone,) = glob.glob(pattern)
    return backbone


def _run(cfg: Config, work_dir: str, seed: int, *hooks: Hook) -> Runner:
    cfg.launcher = 'none'
    cfg.work_dir = work_dir
    cfg.visualizer.name = work_dir  # mmengine keeps one visualizer of each name
    cfg.randomness = dict(seed=seed)
    cfg.resume = True  # from the latest checkpoint, if there is one
    cfg.optim_wrapper.optimizer.fused = True  # 4 % faster
    runner = build_runner(cfg, ('train', 'val'))
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def _record_run(work_dir: str, config: str, seed: int) -> None:
    """Writes config and seed of the run into ``run.json``.

    Raises:
        UserError: If ``work_dir`` holds something else than this run.
    """
    path = osp.join(work_dir, 'run.json')
    run = dict(config=osp.realpath(config), seed=seed)
    recorded = _read_json(path)
    remedy = 'remove it, or give another --work-dir'
    if recorded is not None:
        if (osp.realpath(recorded['config']), recorded['seed']) != (
            run['config'],
            run['seed'],
        ):
            raise UserError(
                f'{work_dir} holds a run of {recorded["config"]} with seed '
                f'{recorded["seed"]}, and this one is of {config} with seed '
                f'{seed}: {remedy}'
            )
    elif osp.isdir(work_dir) and os.listdir(work_dir):
        raise UserError(
            f'{work_dir} holds something that is no run of the demo: {remedy}'
        )
    os.makedirs(work_dir, exist_ok=True)
    _write_json(path, run)


def _read_json(path: str) -> dict | None:
    """Returns the content of a file, None if there is no such file."""
    return load(path) if osp.exists(path) else None


def _write_json(path: str, content: dict) -> None:
    with whole_file(path) as unfinished, open(unfinished, 'w') as file:
        json.dump(content, file, indent=2)


def _coco_table(metrics: dict[str, float]) -> str:
    cells = [['', 'AP', 'AP50', 'AP75', 'APS', 'APM', 'APL']]
    for task in MIN_AP:
        if f'coco/{task}_mAP' in metrics:
            values = [metrics[f'coco/{task}_{column}'] for column in COLUMNS]
            cells.append([NAMES[task], *(f'{value:.3f}' for value in values)])
    return text_table(cells) + '\n'


def _report(results: dict, table: str, work_dir: str) -> None:
    print(f"""
{'-' * 72}
Digits-COCO: trained {results['config']}
(backbone pretrained on the same digits) in {results['minutes']:.1f} minutes.

{table}
Look at   {osp.join(work_dir, 'predictions.png')}   truth left, predictions right
          {osp.join(work_dir, 'curves.png')}        loss and AP
Again     python {tool_path('test.py')} {results['config']} \\
              {results['checkpoint']}
Next      the paper's detectors on COCO: see "Tables 5 and 6" in README.md
          {tool_path('dist_train.sh')} {COCO_CONFIG} 4
{'-' * 72}""")
