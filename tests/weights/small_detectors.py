"""Small detectors with seeded weights, and their checkpoints as in MMDetection 1.x."""

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from tests.conftest import ROOT
from tests.weights.layouts import fill

DETECTORS = ('faster_rcnn', 'mask_rcnn', 'retinanet')
# A legacy config, a quarter as wide; all 80 classes.
SMALL = """
_base_ = '{root}/configs/legacy/{detector}_eca_r{depth}_fpn_1x.py'
model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=32),
    {heads})
"""
TWO_STAGES = """
    rpn_head=dict(in_channels=32, feat_channels=32),
    test_cfg=dict(rpn=dict(max_per_img=30)),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64){mask})"""
HEADS = dict(
    faster_rcnn=TWO_STAGES.format(mask=''),
    mask_rcnn=TWO_STAGES.format(
        mask=""",
        mask_roi_extractor=dict(out_channels=32),
        mask_head=dict(in_channels=32, conv_out_channels=32)"""
    ),
    retinanet='bbox_head=dict(in_channels=32, feat_channels=32)',
)


def small_config(detector, folder, depth=50):
    path = folder / f'{detector}_r{depth}.py'
    path.write_text(
        SMALL.format(root=ROOT, detector=detector, depth=depth, heads=HEADS[detector])
    )
    return path


def build(path):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(Config.fromfile(path).model).eval()


def with_numbers(model):
    """Weights with which hundreds of boxes are likely, of many classes."""
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    state_dict = fill(shapes)
    for name, value in state_dict.items():
        if name.endswith('bn3.weight'):
            value *= 0.2
        elif 'retina_cls.weight' in name:
            value *= 0.03
        elif '_cls.weight' in name:
            value *= 0.3
        elif '_reg.weight' in name:
            value *= 0.05
    model.load_state_dict(state_dict)
    return model


def as_in_1x(state_dict):
    """Backwards, with numbers of no use where 1.x had the background."""
    old, noise = {}, torch.Generator().manual_seed(1)

    def background(value, rows):
        return torch.randn(rows, *value.shape[1:], generator=noise)

    for name, value in state_dict.items():
        name = name.replace('roi_head.', '')
        layer = name.split('.')[-2]
        if layer == 'fc_cls':
            foreground, last = value.split([80, 1])
            value = torch.cat([last, foreground])
        elif layer == 'fc_reg':
            value = torch.cat([background(value, 4), value])
        elif layer == 'conv_logits':
            value = torch.cat([background(value, 1), value])
        old[name] = value
    return old


def save_as_in_1x(state_dict, path):
    torch.save(
        dict(
            meta=dict(
                mmdet_version='1.0rc0+unknown',
                config='model = dict()',
                CLASSES=tuple(map(str, range(80))),
                epoch=12,
                iter=7,
            ),
            state_dict=state_dict,
            optimizer=dict(state={0: dict(momentum_buffer=torch.ones(3))}),
        ),
        path,
    )
    return str(path)


@torch.no_grad()
def detect(model):
    random = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (2, 3, 96, 128), generator=random)
    samples = [
        DetDataSample(
            metainfo=dict(
                img_shape=(96, 128), ori_shape=(48, 64), scale_factor=(2.0, 2.0)
            )
        )
        for _ in images
    ]
    data = dict(inputs=list(images.to(torch.uint8)), data_samples=samples)
    return [sample.pred_instances for sample in model.test_step(data)]
