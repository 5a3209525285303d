"""Small detectors with seeded weights, as configs and checkpoints of Digits-COCO."""

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import config_path

CLASSES = tuple('0123456789')
PLAIN = "dict(_delete_=True, type='ResNet', depth=50, base_channels=16)"


def write(folder, name, detector='faster_rcnn', data=None, backbone='dict()'):
    """Writes NAME.py and NAME.pth into a folder; returns both paths."""
    base = config_path(f'digits/{detector}_eca_r50_digits.py')
    lines = [f'_base_ = {base!r}', f'model = dict(backbone={backbone})']
    if data is not None:
        lines.append(f'test_dataloader = dict(dataset=dict(data_root={data + "/"!r}))')
    config = folder / f'{name}.py'
    config.write_text('\n'.join(lines))
    model = build(config)
    checkpoint = folder / f'{name}.pth'
    meta = dict(dataset_meta=dict(CLASSES=CLASSES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    return config, checkpoint


def build(config):
    """A detector whose norms have statistics and whose scores are far from equal."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(config).model).eval()
    for name, value in model.state_dict().items():
        if name.endswith('running_mean'):
            value.uniform_(-0.2, 0.2)
        elif name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith('fc_cls.weight'):
            value.normal_(std=0.5)
        elif name.endswith('retina_cls.weight'):
            value.normal_(std=0.02)  # scores below 1, where they have a gradient
    return model
