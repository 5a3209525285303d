"""Writes work directories as mmengine leaves them."""

import json
from copy import deepcopy
from functools import cache

from mmengine.config import Config

from mmdet_eca import config_path

ECA, PLAIN = 'retinanet_eca_r50_fpn_1x', 'retinanet_r50_fpn_1x'
ECA_50 = 'eca_resnet50'


@cache
def _config(name):
    classifier = 'resnet' in name or 'mobilenet' in name
    folder = 'imagenet/' if classifier else ''
    return Config.fromfile(config_path(f'{folder}{name}.py'))


def metrics(ap, task='bbox'):
    """As CocoMetric gives them: AP50 is 0.2 higher, and so on."""
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
    cfg._format_python_code = False  # twenty times as fast
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
