"""Backbones of every kind with every attention, small."""

import copy

import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca.models.backbones.attention_weights import LAYERS

SMALL = dict(base_channels=16)
NEXT = dict(depth=50, groups=4, base_width=4, **SMALL)
MEMBERS = (
    'SqueezeExcitation',
    'SEVar1',
    'SEVar2',
    'SEVar3',
    'SEGroup',
    'ECANonShared',
    'ECALayer',
)
IN_EVERY_BLOCK = {
    'ECAResNet': dict(depth=50, **SMALL),
    'SEResNet': dict(depth=50, **SMALL),
    'ECAResNetV1d': dict(depth=50, **SMALL),
    'SEResNetV1d': dict(depth=18, **SMALL),
    'ECAResNeXt': NEXT,
    'ECAMobileNetV2': dict(widen_factor=0.25),
    **{
        f'AttentionResNet {member}': dict(
            depth=18, attention=dict(type=member), **SMALL
        )
        for member in MEMBERS
    },
    'AttentionResNetV1d SEVar2': dict(depth=18, attention=dict(type='SEVar2'), **SMALL),
    'AttentionResNeXt SEVar2': dict(attention=dict(type='SEVar2'), **NEXT),
    'AttentionMobileNetV2 SE': dict(
        attention=dict(type='SqueezeExcitation', ratio=8), widen_factor=0.25
    ),
    'ECAEfficientNetLite': dict(arch='lite0'),
    'CBAMResNet': dict(depth=18, **SMALL),
    'GEResNet': dict(depth=18, variant='theta', image_size=64, **SMALL),
    'GEResNet extent': dict(depth=18, variant='theta+', extent=8, **SMALL),
    'AttentionResNet SCSE': dict(depth=18, attention=dict(type='SCSE'), **SMALL),
}
IN_SOME_BLOCKS = {
    'GCResNet': dict(depth=50, **SMALL),
    'GSoPResNet': dict(depth=50, width=8, **SMALL),
    'A2ResNet': dict(depth=50, **SMALL),
    'AAResNet': dict(depth=50, heads=2, v=0.25, **SMALL),
    'NonLocalResNet': dict(depth=50, **SMALL),
}
BACKBONES = {**IN_EVERY_BLOCK, **IN_SOME_BLOCKS}
IMAGES = (2, 3, 64, 64)


def build(name, **more):
    """The backbone in evaluation mode, with norms that do something."""
    backbone = MODELS.build(
        dict(type=name.split()[0], **copy.deepcopy(BACKBONES[name]), **more)
    )
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1)
        elif isinstance(module, LAYERS):
            for weight in module.parameters():
                if not weight.any():  # starts as the identity
                    nn.init.normal_(weight, std=0.1)
    return backbone.eval()


def build_short(name):
    """Of every kind of block one or two, the tail folded in the first stage
    alone, for what takes seconds a block."""
    if 'EfficientNet' in name:
        backbone = build(name, out_indices=(1, 2))
    elif 'MobileNet' in name:
        backbone = build(name, out_indices=(1, 2))
        del backbone.layers[3:]
    else:
        backbone = build(
            name, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1)
        )
        del backbone.layer1[2:], backbone.layer2[1:]
    return backbone


def attention_layers(backbone):
    return [m for m in backbone.modules() if isinstance(m, LAYERS)]


def assert_same(outs, expected, rtol=1e-4, atol=1e-5):
    assert len(outs) == len(expected)
    for out, wanted in zip(outs, expected):
        torch.testing.assert_close(out, wanted, rtol=rtol, atol=atol)
