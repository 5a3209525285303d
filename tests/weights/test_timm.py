"""timm's ResNets with attention, from networks written anew."""

import pytest
import torch

import mmdet_eca
from mmdet_eca import ECAResNetV1d, UserError
from mmdet_eca.weights.convert import convert_checkpoint
from mmdet_eca.weights.resnet import check_resnet
from mmdet_eca.weights.schemes import local_path
from mmdet_eca.weights.sources import timm
from tests.weights.official_networks import (
    ECAGate,
    SEGate,
    assert_same_features,
    random_weights,
    timm_resnet,
)

DEEP, TIERED = (32, 32), (24, 32)
SE18 = (
    "AttentionResNet(depth={}, attention=[{{'type': 'SqueezeExcitation', 'ratio': 8, "
    "'bias': True}}"
    + 3 * (", {{'type': 'SqueezeExcitation', 'ratio': 16, 'bias': True}}")
    + '])'
)
# Millions of parameters as in timm's table of results, and our network.
NETWORKS = {
    'ecaresnet26t': (
        dict(gate=ECAGate, blocks=(2, 2, 2, 2), stem=TIERED, avg_down=True),
        16.01,
        (
            'ECAResNetV1d(depth=50, stage_blocks=(2, 2, 2, 2), stem_widths=(24, 32), '
            'kernel_size=(5, 5, 5, 7))'
        ),
    ),
    'ecaresnet50t': (
        dict(gate=ECAGate, blocks=(3, 4, 6, 3), stem=TIERED, avg_down=True),
        25.57,
        'ECAResNetV1d(depth=50, stem_widths=(24, 32), kernel_size=(5, 5, 5, 7))',
    ),
    'ecaresnetlight': (
        dict(gate=ECAGate, blocks=(1, 1, 11, 3), avg_down=True),
        30.16,
        (
            'ECAResNet(depth=50, stage_blocks=(1, 1, 11, 3), avg_down=True, '
            'kernel_size=(5, 5, 5, 7))'
        ),
    ),
    'seresnet18': (
        dict(gate=SEGate, blocks=(2, 2, 2, 2), bottleneck=False),
        11.78,
        SE18.format(18),
    ),
    'seresnet34': (
        dict(gate=SEGate, blocks=(3, 4, 6, 3), bottleneck=False),
        21.96,
        SE18.format(34),
    ),
    'seresnet50': (
        dict(gate=SEGate, blocks=(3, 4, 6, 3)),
        28.09,
        'SEResNet(depth=50, ratio=16, bias=True)',
    ),
    'seresnet50t': (
        dict(gate=SEGate, blocks=(3, 4, 6, 3), stem=TIERED, avg_down=True),
        28.10,
        'SEResNetV1d(depth=50, stem_widths=(24, 32), ratio=16, bias=True)',
    ),
    'seresnet152d': (
        dict(gate=SEGate, blocks=(3, 8, 36, 3), stem=DEEP, avg_down=True),
        66.84,
        'SEResNetV1d(depth=152, ratio=16, bias=True)',
    ),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_the_published_widths_are_known(name):
    arguments, millions, ours = NETWORKS[name]
    with torch.device('meta'):
        network = timm_resnet(**arguments)
    numbers = [weight.numel() for weight in network.parameters()]
    assert round(sum(numbers) / 1e6, 2) == millions
    assert timm.matches(network.state_dict(), {})
    assert timm.convert(network.state_dict())[1] == ours


@pytest.mark.parametrize(
    'name',
    ['ecaresnet50t', 'ecaresnetlight', 'seresnet18', 'seresnet50', 'seresnet50t'],
)
def test_every_stage_is_timms(name, tmp_path):
    reference = timm_resnet(**NETWORKS[name][0], width=32)
    weights = random_weights(reference)
    reference.load_state_dict(weights)
    torch.save(weights, tmp_path / 'timm.bin')
    out = tmp_path / 'out.pth'
    message = convert_checkpoint(str(tmp_path / 'timm.bin'), str(out))
    converted = torch.load(out, weights_only=True)['state_dict']
    backbone = check_resnet(converted)
    assert f"timm's ecaresnet and seresnet weights, {backbone};" in message
    model = getattr(mmdet_eca, backbone.type)(**backbone.arguments, base_channels=32)
    del converted['fc.weight'], converted['fc.bias']
    model.load_state_dict(converted, strict=True)
    images = torch.randn(2, 3, 65, 97)  # odd, so that pooling shows
    assert_same_features(model, reference, images)


def test_a_tiered_stem_trains_and_freezes():
    images = torch.randn(1, 3, 64, 64)
    model = ECAResNetV1d(50, stem_widths=(6, 8), base_channels=16, frozen_stages=-1)
    model.init_weights()
    model.train()(images)[-1].sum().backward()
    assert all(weight.grad is not None for weight in model.stem.parameters())
    frozen = ECAResNetV1d(50, stem_widths=(6, 8), base_channels=16, frozen_stages=0)
    assert not any(weight.requires_grad for weight in frozen.stem.parameters())
    assert not any(layer.training for layer in frozen.train().stem.modules())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(stem_widths=(24,)), r'stem_widths must be 2 numbers, got \(24,\)'),
        (dict(stem_widths=(24, 0)), 'stem_widths must be a positive integer, got 0'),
        (dict(stage_blocks=(1, 1, 11)), r'stage_blocks must be 4 numbers, got \(1, 1,'),
        (dict(stage_blocks=(1, 1, 1.5, 3)), 'stage_blocks must be .* got 1.5'),
    ],
)
def test_a_wrong_stem_or_wrong_blocks(arguments, message):
    with pytest.raises(UserError, match=message):
        ECAResNetV1d(50, **arguments)


def test_attention_inside_the_block_is_refused(tmp_path):
    """As in gcresnet50t: by the names of its stem and first block."""
    path = tmp_path / 'model.bin'
    weights = {
        'stem.conv1.conv.weight': torch.ones(24, 3, 3, 3),
        'stages.0.0.conv1_1x1.conv.weight': torch.ones(64, 64, 1, 1),
        'stages.0.0.attn.conv_attn.weight': torch.ones(1, 64, 1, 1),
    }
    torch.save(weights, path)
    with pytest.raises(UserError, match='as in gcresnet50t, the attention sits betw'):
        convert_checkpoint(str(path), str(tmp_path / 'out.pth'))
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize(
    'name', ['seresnetaa50d.sw_in12k', 'resnetblur50.bt_in1k', 'seresnextaa101d_32x8d']
)
def test_pooling_inside_the_block_is_refused_by_the_name(name):
    """Their parameters are those of the network without pooling."""
    with pytest.raises(UserError, match=f'timm://{name}: its blocks pool before'):
        local_path(f'timm://{name}')
