"""Plain weights: attention starts as the identity, and learns from there."""

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import AttentionLayer, DoubleAttention
from mmdet_eca.models.attention.non_local import NonLocalBlock
from mmdet_eca.models.backbones import attention_weights

RESNET = dict(depth=50, base_channels=16)
KINDS = {
    'ResNet': RESNET,
    'ResNetV1d': RESNET,
    'ResNeXt': dict(depth=50, groups=4, base_width=4, base_channels=16),
    'MobileNetV2': dict(widen_factor=0.25),
}
LAYERS = (
    dict(type='ECALayer'),
    dict(type='ECANonShared'),
    dict(type='SqueezeExcitation', ratio=2),
    dict(type='SqueezeExcitation', ratio=2, bias=True),
    dict(type='SEVar2'),
    dict(type='SEVar3'),
    dict(type='SEGroup'),
    dict(type='CBAM'),
    dict(type='SCSE'),
    dict(type='SCSE', combine='add'),
    dict(type='GatherExcite', variant='theta', extent=8),
    dict(type='GatherExcite', variant='theta', map_size=(4, 4), extent=None),
    dict(type='GatherExcite', variant='theta+', extent=4),
    dict(type='GlobalContext'),
    dict(type='GSoP', width=16),
    dict(type='DoubleAttention'),
)
IMAGES = (2, 3, 64, 64)


def plain_backbone(kind='ResNet'):
    """mmdet's own, with norms that do something."""
    backbone = MODELS.build(dict(type=f'mmdet.{kind}', **KINDS[kind]))
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.bias, -0.1, 0.1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1)
    backbone.eval()
    return backbone


def with_attention(plain, layer, **arguments):
    """The same with attention, from the plain weights alone."""
    kind = type(plain).__name__
    backbone = MODELS.build(
        dict(type=f'Attention{kind}', attention=layer, **KINDS[kind], **arguments)
    )
    backbone.load_state_dict(plain.state_dict())
    return backbone.eval()


def assert_learns(backbone, x):
    """Each attention layer has a gradient, with fixed norms as in a detector."""
    sum(out.square().mean() for out in backbone(x)).backward()
    layers = [m for m in backbone.modules() if isinstance(m, AttentionLayer)]
    assert layers
    for layer in layers:
        assert max(p.grad.abs().max() for p in layer.parameters()) > 0


@pytest.mark.parametrize('layer', [*LAYERS[:10], *LAYERS[12:]], ids=str)
def test_every_layer_gives_the_plain_networks_outputs_bit_for_bit(layer):
    plain, x = plain_backbone(), torch.randn(IMAGES)
    backbone = with_attention(plain, layer, folded=False)
    assert all(map(torch.equal, backbone(x), plain(x)))
    assert_learns(backbone, x)


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_backbone_gives_the_plain_ones_outputs(kind):
    """To rounding where it folds: a norm and a convolution are then one product."""
    plain, x = plain_backbone(kind), torch.randn(IMAGES)
    backbone = with_attention(plain, dict(type='ECALayer', kernel_size=3))
    for out, expected in zip(backbone(x), plain(x)):
        assert (out - expected).norm() <= 1e-6 * expected.norm()
    assert_learns(backbone, x)


@pytest.mark.parametrize('layer', LAYERS, ids=str)
def test_the_norm_before_it_makes_up_for_the_layer(layer):
    """In training too, whatever the map: the layer alone is a power of two."""
    layer = MODELS.build(dict(layer, in_channels=64))
    multiple = layer.start_as_identity()
    x = torch.randn(3, 64, 4, 4)
    for mode in (True, False):
        assert torch.equal(layer.train(mode)(x / multiple), x)


@pytest.mark.parametrize(
    'layer', [dict(type='SEVar1'), dict(type='GatherExcite')], ids=str
)
def test_what_has_no_weights_cannot_be_the_identity(layer):
    plain = plain_backbone()
    backbone = with_attention(plain, layer)
    for name, weight in plain.state_dict().items():
        assert torch.equal(backbone.state_dict()[name], weight)


def test_attention_in_chosen_blocks_scales_the_norms_of_those_alone():
    plain = plain_backbone()
    backbone = with_attention(
        plain, dict(type='ECALayer'), attention_blocks=[[], [1], [], [0, 2]]
    )
    scaled = {
        name
        for name, weight in plain.state_dict().items()
        if not torch.equal(backbone.state_dict()[name], weight)
    }
    assert scaled == {
        f'{block}.bn3.{name}'
        for block in ('layer2.1', 'layer4.0', 'layer4.2')
        for name in ('weight', 'bias')
    }
    x = torch.randn(IMAGES)
    for out, expected in zip(backbone(x), plain(x)):
        assert (out - expected).norm() <= 1e-6 * expected.norm()


@pytest.mark.parametrize('name', ['A2ResNet', 'NonLocalResNet'])
def test_units_between_the_blocks_add_nothing(name):
    plain, x = plain_backbone(), torch.randn(IMAGES)
    backbone = MODELS.build(dict(type=name, folded=False, **RESNET))
    for module in backbone.modules():
        if isinstance(module, (DoubleAttention, NonLocalBlock)):
            for weight in module.parameters():
                nn.init.normal_(weight)
    backbone.load_state_dict(plain.state_dict(), strict=False)
    assert all(map(torch.equal, backbone.eval()(x), plain(x)))


def test_augmented_convolutions_start_untrained(monkeypatch):
    backbone = MODELS.build(dict(type='AAResNet', heads=2, v=0.25, **RESNET))
    logged = []
    monkeypatch.setattr(
        attention_weights, 'print_log', lambda text, **kwargs: logged.append(text)
    )
    backbone.load_state_dict(plain_backbone().state_dict(), strict=False)
    assert logged == [
        'The checkpoint has no attention. That of AAResNet starts untrained.'
    ]
