"""The demo: from nothing to a trained, evaluated detector and its pictures."""
import glob
import json
import os
import os.path as osp
import time
from typing import Dict, Optional

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

from .datasets import make_digits
from .engine import build_runner
from .errors import UserError
from .visualization import draw_curves, draw_predictions

PRETRAINING = 'configs/digits/eca_resnet50_digits.py'
# What a sound installation reaches; the README has the figures.
BARS = {'bbox': 0.35, 'segm': 0.30}
NAMES = {'bbox': 'box', 'segm': 'mask'}
COLUMNS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


def run_demo(config: str, work_dir: str, seed: int) -> None:
    """Makes Digits-COCO, trains, evaluates and draws; then says what came out.

    The backbone first learns to tell the training set's digits apart: without
    that the detector's classifier hardly moves for half of the training.

    A finished run is only reported, an interrupted one goes on where its last
    checkpoint was.

    Args:
        config (str): A config of ``configs/digits``.
        work_dir (str): Gets ``results.json``, ``coco.txt``, ``curves.png``,
            ``predictions.png`` and the checkpoints.
        seed (int): Of the training.

    Raises:
        UserError: If the AP is below the bar.
    """
    results = _read_results(work_dir, config, seed)
    if results is None:
        results = _train(config, work_dir, seed)
    table = _coco_table(results['metrics'])
    with open(osp.join(work_dir, 'coco.txt'), 'w') as file:
        file.write(table)
    _report(results, table, work_dir)
    for task, bar in BARS.items():
        value = results['metrics'].get(f'coco/{task}_mAP', bar)
        if value < bar:
            raise UserError(
                f'{NAMES[task]} AP {value:.3f} is below {bar}, which this demo '
                'reaches: something in this installation is off')


def _train(config: str, work_dir: str, seed: int) -> Dict:
    start = time.time()
    cfg = Config.fromfile(config)
    print(make_digits(cfg.train_dataloader.dataset.data_root.rstrip('/')))
    pretraining = osp.join(work_dir, 'pretraining')
    _run(Config.fromfile(PRETRAINING), pretraining, seed)
    backbone, = glob.glob(osp.join(pretraining, '*-backbone-*.pth'))
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=backbone)
    runner = _run(cfg, work_dir, seed)
    # Once more, since a run that was resumed at its end has not evaluated.
    metrics = runner.val()
    draw_predictions(runner.model.eval(), runner.val_dataloader.dataset,
                     osp.join(work_dir, 'predictions.png'))
    scalars = glob.glob(osp.join(work_dir, '*', 'vis_data', 'scalars.json'))
    draw_curves(sorted(scalars), osp.join(work_dir, 'curves.png'))
    results = dict(
        config=config,
        seed=seed,
        minutes=(time.time() - start) / 60,
        checkpoint=find_latest_checkpoint(work_dir),
        metrics={name: float(value) for name, value in metrics.items()})
    path = osp.join(work_dir, 'results.json')
    with open(f'{path}.tmp', 'w') as file:
        json.dump(results, file, indent=2)
    os.replace(f'{path}.tmp', path)
    return results


def _run(cfg: Config, work_dir: str, seed: int) -> Runner:
    cfg.launcher = 'none'
    cfg.work_dir = work_dir
    cfg.visualizer.name = work_dir  # of the same name there is only one
    cfg.randomness = dict(seed=seed)
    cfg.resume = True  # from the latest checkpoint, if there is one
    runner = build_runner(cfg, ('train', 'val'))
    runner.train()
    return runner


def _read_results(work_dir: str, config: str, seed: int) -> Optional[Dict]:
    """What a finished run left, None without one."""
    try:
        with open(osp.join(work_dir, 'results.json')) as file:
            results = json.load(file)
    except FileNotFoundError:
        return None
    if (results['config'], results['seed']) != (config, seed):
        raise UserError(
            f'{work_dir} holds a run of {results["config"]} with seed '
            f'{results["seed"]}: remove it, or give another --work-dir')
    return results


def _coco_table(metrics: Dict[str, float]) -> str:
    header = ('', 'AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
    rows = [header] + [(NAMES[task], *(f'{metrics[f"coco/{task}_{column}"]:.3f}'
                                       for column in COLUMNS))
                       for task in BARS if f'coco/{task}_mAP' in metrics]
    return ''.join(f'{row[0]:6}' + ''.join(f'{cell:>8}' for cell in row[1:]) +
                   '\n' for row in rows)


def _report(results: Dict, table: str, work_dir: str) -> None:
    print(f"""
{'-' * 72}
Digits-COCO: trained {results['config']}
(backbone pretrained on the same digits) in {results['minutes']:.1f} minutes.

{table}
Look at   {osp.join(work_dir, 'predictions.png')}   truth left, predictions right
          {osp.join(work_dir, 'curves.png')}        loss and AP
Again     python tools/test.py {results['config']} \\
              {results['checkpoint']}
Next      the paper's detectors on COCO: see "Tables 5 and 6" in README.md
          tools/dist_train.sh configs/mask_rcnn_eca_r50_fpn_1x.py 4
{'-' * 72}""")
