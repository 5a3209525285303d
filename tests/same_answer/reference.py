"""A detector of ours with weights that numpy draws, and what it finds in an image.

The weights and the image are drawn by ``numpy.random.RandomState``, whose numbers numpy
never changes, so that no file of weights is needed and anybody can draw them again.
What torch 2.13 found on the CPU is stored in ``reference.json``; the command

    python -m tests.same_answer.reference

writes it anew. It is for a change of the network that is meant, and refuses numbers
that rounding could turn into others.
"""

import json
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import config_path

CONFIG = 'digits/mask_rcnn_eca_r50_digits.py'
STORED = Path(__file__).with_name('reference.json')
HEIGHT, WIDTH = 160, 256  # which mmdet does not pad
# Factors that keep the features' scale over the blocks, and the boxes in the image.
SCALES = {
    'bn3.weight': 0.2,
    'rpn_cls.weight': 0.3,
    'rpn_reg.weight': 0.03,
    'fc_cls.weight': 0.3,
    'fc_reg.weight': 0.05,
}


def build():
    """The detector, in evaluation mode on the CPU."""
    random = np.random.RandomState(15)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(config_path(CONFIG)).model)
    state_dict = model.state_dict()
    for name in sorted(state_dict):
        shape = tuple(state_dict[name].shape)
        drawn = random.standard_normal(shape)
        if not shape:  # num_batches_tracked
            continue
        if len(shape) > 1:
            drawn *= (2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith(('running_var', '.weight')):
            drawn = 0.5 + np.abs(drawn) / 2
        else:
            drawn *= 0.1
        ending = '.'.join(name.split('.')[-2:])
        drawn *= SCALES.get(ending, 1)
        state_dict[name] = torch.tensor(drawn, dtype=torch.float32)
    model.load_state_dict(state_dict)
    return model.eval()


def image():
    """Squares of random colours, of shape (3, H, W), dtype uint8."""
    random = np.random.RandomState(18)
    squares = random.randint(0, 256, (3, HEIGHT // 16, WIDTH // 16))
    return torch.tensor(np.kron(squares, np.ones((1, 16, 16))), dtype=torch.uint8)


@torch.no_grad()
def answer(model, pixels):
    """What is stored: means of the backbone's channels, and detections by score.

    Args:
        model: The detector.
        pixels: (3, H, W), of any type.
    """
    size = tuple(pixels.shape[1:])
    sample = DetDataSample(
        metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    )
    data = model.data_preprocessor(dict(inputs=[pixels], data_samples=[sample]))
    stages = model.backbone(data['inputs'])
    (found,) = model(**data, mode='predict')
    found = found.pred_instances
    return dict(
        means=[stage[0].double().mean((1, 2)).tolist() for stage in stages],
        boxes=found.bboxes.double().tolist(),
        scores=found.scores.double().tolist(),
        labels=found.labels.tolist(),
        areas=found.masks.sum((1, 2)).tolist(),
    )


def smallest_gap(scores):
    """Between two detections that follow each other."""
    return -np.diff(scores).max()


def main():
    model, pixels = build(), image()
    found = answer(model, pixels)
    moved = answer(model, pixels.float() * (1 + 1e-5))  # a hundred roundings
    if moved['labels'] != found['labels'] or smallest_gap(found['scores']) < 1e-4:
        raise SystemExit('a detection is on the edge; take another seed')
    with STORED.open('w') as file:
        json.dump(dict(torch=torch.__version__, **found), file)
    print(f'{STORED}: {len(found["scores"])} detections')


if __name__ == '__main__':
    main()
