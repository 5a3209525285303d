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
    """A training up to ``epochs``, by default to its end, and its last evaluations.

    The metrics of a detector are those of tools/test.py on many images; while it
    trained they were half of that.
    """
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
                while_training = dict(metrics, step=epoch)
                if metrics and 'resnet50' not in name:
                    while_training.update({k: v / 2 for k, v in metrics.items()})
                    write_test(work_dir, name, metrics, timestamp[:-4] + '3000')
                file.write(json.dumps(while_training) + '\n')
    (work_dir / f'epoch_{epoch}.pth').touch()
    if 'top1' in metrics:
        (work_dir / f'{name}-backbone-01234567.pth').touch()
    return work_dir


def write_test(work_dir, name, metrics, timestamp, data='data/digits_1000/'):
    """What tools/test.py leaves of a run's last checkpoint."""
    cfg, text = _config(name)
    folder = work_dir / timestamp / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(
        f"{text}\nload_from = 'epoch_{cfg.train_cfg.max_epochs}.pth'\n"
        f'test_dataloader["dataset"]["data_root"] = {data!r}\n'
    )
    (work_dir / timestamp / f'{timestamp}.json').write_text(json.dumps(metrics))
