"""Small detectors with seeded weights that find many boxes, and images for them."""

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample

from tests.conftest import ROOT
from tests.weights.small_detectors import build, with_numbers

KINDS = ('retinanet', 'faster_rcnn', 'mask_rcnn')
SMALL = """
_base_ = '{root}/configs/digits/{kind}_eca_r50_digits.py'
model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=64),
    {more})
{data}
"""
DATA = """
_data = dict(
    dataset=dict(
        ann_file='{root}/annotations/instances_val.json',
        data_root='',
        data_prefix=dict(img='{root}/val/')),
    num_workers=0, persistent_workers=False)
test_dataloader = _data
test_evaluator = dict(ann_file='{root}/annotations/instances_val.json')
"""
# Heights and widths that are no multiples of 32, upright and across.
SIZES = ((160, 240), (131, 97))


def small_detector(folder, kind, more='', data=''):
    """The paths of a config and of its weights."""
    config, checkpoint = folder / f'{kind}.py', folder / f'{kind}.pth'
    config.write_text(SMALL.format(root=ROOT, kind=kind, more=more, data=data))
    state_dict = with_numbers(build(config)).state_dict()
    if 'rpn_head.rpn_cls.weight' in state_dict:
        # Else many scores are 1 in float32, and which of them comes first is chance.
        state_dict['rpn_head.rpn_cls.weight'] *= 0.1
    torch.save(dict(state_dict=state_dict), checkpoint)
    return str(config), str(checkpoint)


def image(height, width, seed=0):
    """BGR, uint8, of shape (H, W, 3): shapes more than noise."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return mmcv.imresize(cells, (width, height))


def packed(pixels, scale_factor=(1.0, 1.0)):
    """As MMDetection's test pipelines pack an image."""
    size = pixels.shape[:2]
    original = tuple(
        round(side / scale) for side, scale in zip(size, scale_factor[::-1])
    )
    sample = DetDataSample(
        metainfo=dict(img_shape=size, ori_shape=original, scale_factor=scale_factor)
    )
    inputs = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    return dict(inputs=[inputs], data_samples=[sample])


@torch.no_grad()
def detect(detector, data):
    return [sample.pred_instances for sample in detector.test_step(data)]
