"""Writes work directories of runs on the digits, as mmengine leaves them."""

import json
from functools import cache

from mmengine.config import Config

from mmdet_eca import config_path

COLUMNS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


@cache
def _config(name):
    cfg = Config.fromfile(config_path(f'digits/{name}.py'))
    cfg._format_python_code = False  # twenty times as fast
    return cfg, cfg.pretty_text


def detector_metrics(box, mask=None):
    """As CocoMetric gives them, the same in every column."""
    metrics = {f'coco/bbox_{column}': box for column in COLUMNS}
    if mask is not None:
        metrics.update({f'coco/segm_{column}': mask for column in COLUMNS})
    return metrics


def write_run(work_dir, name, metrics, timestamp='20261128_120000', epochs=None):
    """A training up to ``epochs``, by default to its end, and its last evaluation."""
    cfg, text = _config(name)
    max_epochs = cfg.train_cfg.max_epochs
    folder = work_dir / timestamp / 'vis_data'
    folder.mkdir(parents=True)
    for path in (folder / 'config.py', work_dir / f'{name}.py'):
        path.write_text(text)
    with open(folder / 'scalars.json', 'w') as file:
        for epoch in range(1, (epochs or max_epochs) + 1):
            file.write(json.dumps(dict(loss=1, epoch=epoch, step=epoch)) + '\n')
            if epoch == max_epochs:
                file.write(json.dumps(dict(metrics, step=epoch)) + '\n')
    (work_dir / f'epoch_{epoch}.pth').touch()
    if 'top1' in metrics:
        (work_dir / f'{name}-backbone-01234567.pth').touch()
    return work_dir
