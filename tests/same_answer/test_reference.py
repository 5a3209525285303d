"""A detector gives on every torch what it gave on torch 2.13.

Tolerances: in float32 one number is right to 6e-8. The stored means of channels are
within 3e-7 of the equations' in float64, of the largest one of their stage. On one CPU
torch 2.1.2 gave the same bits; with two threads, or without AVX, means changed by
1.3e-7, scores by 2e-6 and boxes by 3e-5 pixels at most. A norm with an epsilon of 2e-5
instead of 1e-5 changes them by 5e-5, 1e-4 and 2e-3.
"""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.same_answer.reference import STORED, answer, build, image, smallest_gap

OF_MEANS, OF_SCORES, OF_BOXES, OF_AREAS = 2e-6, 2e-5, 5e-4, 2


@pytest.fixture(scope='module')
def stored():
    return json.loads(STORED.read_text())


def differences(found, stored):
    """Each in units of its tolerance; infinite if the classes differ."""
    if found['labels'] != stored['labels']:
        return dict(labels=np.inf)
    return dict(
        means=max(_largest(*pair) for pair in zip(found['means'], stored['means']))
        / OF_MEANS,
        **{
            name: np.abs(np.subtract(found[name], stored[name])).max() / tolerance
            for name, tolerance in (
                ('scores', OF_SCORES),
                ('boxes', OF_BOXES),
                ('areas', OF_AREAS),
            )
        },
    )


def _largest(found, stored):
    return np.abs(np.subtract(found, stored)).max() / np.abs(stored).max()


def test_the_answer_is_the_stored_one(stored):
    assert len(stored['scores']) == 30
    assert smallest_gap(stored['scores']) > 2 * OF_SCORES
    found = differences(answer(build(), image()), stored)
    assert max(found.values()) < 1, found


def equations(state_dict, pixels, kernel_sizes=(3, 5, 5, 7)):
    """The four stages of ECA-ResNet-50, written out with torch's functions, float64."""
    weights = {
        name.replace('backbone.', '', 1): value.double()
        for name, value in state_dict.items()
        if name.startswith('backbone.')
    }

    def norm(x, name):
        mean, variance, weight, bias = (
            weights[f'{name}.{part}'][:, None, None]
            for part in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def convolution(x, name, stride=1, padding=0):
        return F.conv2d(x, weights[f'{name}.weight'], None, stride, padding)

    mean = torch.tensor([123.675, 116.28, 103.53])[:, None, None].double()
    deviation = torch.tensor([58.395, 57.12, 57.375])[:, None, None].double()
    x = (pixels.flip(0).double() - mean) / deviation
    x = norm(convolution(x[None], 'conv1', 2, 3), 'bn1').relu()
    x = F.max_pool2d(x, 3, 2, 1)
    stages = []
    for stage, (blocks, k) in enumerate(zip((3, 4, 6, 3), kernel_sizes), 1):
        for block in range(blocks):
            name = f'layer{stage}.{block}'
            stride = 2 if stage > 1 and block == 0 else 1
            y = norm(convolution(x, f'{name}.conv1'), f'{name}.bn1').relu()
            y = convolution(y, f'{name}.conv2', stride, 1)
            y = norm(y, f'{name}.bn2').relu()
            y = norm(convolution(y, f'{name}.conv3'), f'{name}.bn3')
            # Equations (7) and (8) of ECA-Net.
            kernel = weights[f'{name}.eca.conv.weight']
            gate = F.conv1d(y.mean((2, 3))[:, None], kernel, padding=k // 2)
            y = y * gate.sigmoid()[:, 0, :, None, None]
            if block == 0:
                x = convolution(x, f'{name}.downsample.0', stride)
                x = norm(x, f'{name}.downsample.1')
            x = (x + y).relu()
        stages.append(x[0])
    return stages


def test_the_stored_features_are_those_of_the_equations(stored):
    stages = equations(build().state_dict(), image())
    for stage, means in zip(stages, stored['means']):
        assert _largest(means, stage.mean((1, 2)).tolist()) < OF_MEANS


def other_epsilon(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 2e-5


def mirrored_kernel(model):
    weight = model.backbone.layer4[2].eca.conv.weight
    weight.data = weight.data.flip(-1)


def half_a_pixel(model):
    for layer in model.roi_head.bbox_roi_extractor.roi_layers:
        layer.aligned = False


def rounded_up(model):
    model.backbone.maxpool.ceil_mode = True


def narrow_attention(model):
    weight = model.backbone.layer2[0].eca.conv.weight
    weight.data[..., [0, -1]] = 0  # a kernel of 3 instead of 5


@pytest.mark.parametrize(
    'mistake',
    [other_epsilon, mirrored_kernel, half_a_pixel, rounded_up, narrow_attention],
)
def test_a_small_mistake_shows(mistake, stored):
    model = build()
    mistake(model)
    found = differences(answer(model, image()), stored)
    assert max(found.values()) > 1, found
