"""Writes work directories as mmengine leaves them."""

import json
from copy import deepcopy
from functools import cache

from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.paper.work_dirs import METRICS

ECA, PLAIN = 'retinanet_eca_r50_fpn_1x', 'retinanet_r50_fpn_1x'
ECA_50 = 'eca_resnet50'


@cache
def _config(name):
    folder = ''
    if name.endswith(('_digits', '_scenes')):
        folder = 'digits/'
    elif 'resnet' in name or 'mobilenet' in name:
        folder = 'imagenet/'
    cfg = Config.fromfile(config_path(f'{folder}{name}.py'))
    cfg._format_python_code = False  # twenty times as fast
    return cfg


def metrics(ap, task='bbox'):
    """Returns CocoMetric's metrics: AP50 is 0.2 higher, and so on."""
    offsets = dict(mAP=0, mAP_50=0.2, mAP_75=0.05, mAP_s=-0.1, mAP_m=0.02, mAP_l=0.1)
    return {
        f'coco/{task}_{name}': round(ap + offset, 3) for name, offset in offsets.items()
    }


def write_training(
    work_dir,
    name=ECA,
    timestamp='20240101_000000',
    epochs=range(1, 13),
    steps=2,
    ap=0.374,
    loss=1.0,
    gpus=4,
    evaluate=True,
    **options,
):
    """A start of a training tool that went through the epochs.

    A detector is evaluated to a twelfth of ``ap`` in the first epoch, to two in the
    second and so on; a classifier always to 100 ``ap`` % top-1, and 10 % more top-5.

    ``options`` change the config, as in --cfg-options with '__' for '.'.
    """
    cfg = deepcopy(_config(name))
    cfg.merge_from_dict({k.replace('__', '.'): v for k, v in options.items()})
    text = cfg.pretty_text
    folder = work_dir / timestamp
    (folder / 'vis_data').mkdir(parents=True)
    for path in (folder / 'vis_data' / 'config.py', work_dir / f'{name}.py'):
        path.write_text(text)
    (folder / f'{timestamp}.log').write_text(f'    GPU number: {gpus}\n')
    with open(folder / 'vis_data' / 'scalars.json', 'w') as file:
        for epoch in epochs:
            for step in range(1, steps + 1):
                step += (epoch - 1) * steps
                row = dict(loss=loss, time=0.1, epoch=epoch, step=step)
                file.write(json.dumps(row) + '\n')
            if evaluate:
                results = metrics(ap * epoch / 12)
                if 'imagenet' in cfg.filename:
                    results = dict(top1=100 * ap, top5=100 * ap + 10)
                row = dict(results, step=epoch)
                file.write(json.dumps(row) + '\n')
            (work_dir / f'epoch_{epoch}.pth').touch()
    return folder


def write_test(work_dir, timestamp, ap, name=ECA, checkpoint='epoch_12.pth', **options):
    """A start of tools/test.py."""
    folder = write_training(
        work_dir,
        name,
        timestamp,
        epochs=(),
        load_from=f'{work_dir}/{checkpoint}',
        **options,
    )
    (folder / f'{timestamp}.json').write_text(json.dumps(metrics(ap)))
    return folder


def detector_metrics(box, mask=None):
    """Returns CocoMetric's metrics, the same in every column."""
    metrics = {f'coco/bbox_{column}': box for column in METRICS.values()}
    if mask is not None:
        metrics.update({f'coco/segm_{column}': mask for column in METRICS.values()})
    return metrics


def write_run(work_dir, name, metrics, timestamp='20261128_120000', epochs=None):
    """A training up to ``epochs``, by default to its end, and its last evaluations.

    The metrics of a detector are those of tools/test.py on many images; while it
    trained they were half of that.
    """
    cfg = _config(name)
    text = cfg.pretty_text
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
                    write_digits_test(work_dir, name, metrics, timestamp[:-4] + '3000')
                file.write(json.dumps(while_training) + '\n')
    (work_dir / f'epoch_{epoch}.pth').touch()
    if 'top1' in metrics:
        (work_dir / f'{name}-backbone-01234567.pth').touch()
    return work_dir


def write_digits_test(work_dir, name, metrics, timestamp, data='data/digits_1000/'):
    """Writes the logs of tools/test.py for a run's last checkpoint."""
    cfg = _config(name)
    text = cfg.pretty_text
    folder = work_dir / timestamp / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(
        f"{text}\nload_from = 'epoch_{cfg.train_cfg.max_epochs}.pth'\n"
        f'test_dataloader["dataset"]["data_root"] = {data!r}\n'
    )
    (work_dir / timestamp / f'{timestamp}.json').write_text(json.dumps(metrics))
