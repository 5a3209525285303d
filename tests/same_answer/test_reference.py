"""A detector gives on every torch, with compiled operators or ours, what it gave with
torch 2.13 and mmcv's compiled ones.

Its weights and the image are drawn by ``numpy.random.RandomState``, whose numbers numpy
never changes. ``python -m tests.same_answer.test_reference`` stores the answer anew,
for a change of the network that is meant.

Tolerances: in float32 one number is right to 6e-8. With two threads, or without AVX,
means changed by 1.3e-7 of the largest one of their stage, scores by 2e-6 and boxes by
3e-5 pixels at most. A norm with an epsilon of 2e-5 instead of 1e-5 changes them by
5e-5, 1e-4 and 2e-3.
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
TOLERANCES = dict(means=2e-6, scores=2e-5, boxes=5e-4, areas=2)
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
        drawn *= SCALES.get('.'.join(name.split('.')[-2:]), 1)
        state_dict[name] = torch.tensor(drawn, dtype=torch.float32)
    model.load_state_dict(state_dict)
    return model.eval()


def image(height=160, width=256, seed=18):
    """Squares of random colours, of shape (3, H, W), dtype uint8."""
    random = np.random.RandomState(seed)
    squares = random.randint(0, 256, (3, height // 16, width // 16))
    return torch.tensor(np.kron(squares, np.ones((1, 16, 16))), dtype=torch.uint8)


@torch.no_grad()
def answer(model, pixels):
    """Means of the backbone's channels, and the detections by score.

    Args:
        model: The detector.
        pixels: (3, H, W).
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


def largest_difference(found, stored):
    """In units of the tolerances; infinite if the classes differ."""
    if found['labels'] != stored['labels']:
        return np.inf
    pairs = [('means', *pair) for pair in zip(found['means'], stored['means'])]
    pairs += [
        (name, found[name], stored[name]) for name in ('scores', 'boxes', 'areas')
    ]
    return max(
        np.abs(np.subtract(one, other)).max()
        / (np.abs(other).max() if name == 'means' else 1)
        / TOLERANCES[name]
        for name, one, other in pairs
    )


def test_the_answer_is_the_stored_one():
    stored = json.loads(STORED.read_text())
    assert len(stored['scores']) == 30
    assert largest_difference(answer(build(), image()), stored) < 1


if __name__ == '__main__':
    STORED.write_text(
        json.dumps(dict(torch=torch.__version__, **answer(build(), image())))
    )
