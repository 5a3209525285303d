"""Weights of CBAM's and GSoP-Net1's authors, from networks written anew."""

import re

import pytest
import torch

from mmdet_eca import CBAMResNet, GSoPResNet, UserError
from mmdet_eca.weights.convert import convert_checkpoint
from mmdet_eca.weights.sources import cbam, gsop, torchvision
from tests.tools.in_process import call
from tests.weights.official_networks import (
    assert_same_features,
    cbam_resnet,
    gsop_resnet,
    random_weights,
)

NETWORKS = [
    (cbam_resnet, CBAMResNet, depth, dict(ratio=16, bias=True))
    for depth in (18, 34, 50, 101)
] + [
    (gsop_resnet, GSoPResNet, depth, dict(width=128, attention_blocks='last'))
    for depth in (50, 101)
]
SOURCES = dict(cbam_resnet=cbam, gsop_resnet=gsop)
CLASSIFIER = dict(cbam_resnet={}, gsop_resnet=dict(strides=(1, 2, 2, 1)))


def save_as_the_authors(state_dict, path):
    """From a training in DataParallel, with what is beside the weights."""
    torch.save(
        dict(
            epoch=100,
            arch='resnet',
            state_dict={f'module.{name}': value for name, value in state_dict.items()},
            best_prec1=torch.tensor(77.6),
            optimizer=dict(state={}, param_groups=[dict(lr=0.1, params=[0])]),
        ),
        path,
    )


@pytest.mark.parametrize(('network', 'backbone', 'depth', 'arguments'), NETWORKS)
def test_every_stage_is_the_official_networks(
    network, backbone, depth, arguments, tmp_path, capsys
):
    reference = network(depth, width=16)
    state_dict = random_weights(reference)
    reference.load_state_dict(state_dict)
    path, out = tmp_path / 'official.pth', tmp_path / 'out.pth'
    save_as_the_authors(state_dict, path)
    call('convert-checkpoint', path, out)
    given = ', '.join(f'{name}={value!r}' for name, value in arguments.items())
    said = capsys.readouterr().out
    assert f'{backbone.__name__}(depth={depth}, {given})' in said
    assert f'{len(state_dict)} tensors' in said

    converted = torch.load(out, weights_only=True)['state_dict']
    classifier = {name: converted.pop(name) for name in ('fc.weight', 'fc.bias')}
    assert all(torch.equal(classifier[name], state_dict[name]) for name in classifier)
    model = backbone(
        depth, base_channels=16, **arguments, **CLASSIFIER[network.__name__]
    )
    model.load_state_dict(converted, strict=True)
    assert_same_features(model, reference, torch.randn(2, 3, 96, 128))


@pytest.mark.parametrize(('network', 'backbone', 'depth', 'arguments'), NETWORKS)
def test_the_published_widths_are_ours(network, backbone, depth, arguments):
    with torch.device('meta'):
        state_dict = network(depth).state_dict()
        model = backbone(depth, **arguments)
    converted, fits = SOURCES[network.__name__].convert(state_dict)
    assert fits.startswith(f'{backbone.__name__}(depth={depth}, ')
    names = {name: tuple(value.shape) for name, value in converted.items()}
    del names['fc.weight'], names['fc.bias']
    assert names == {
        name: tuple(value.shape) for name, value in model.state_dict().items()
    }


@pytest.mark.parametrize(
    ('network', 'depth', 'parameters'),
    [
        (cbam_resnet, 34, 21_960_468),
        (cbam_resnet, 50, 28_089_624),
        (cbam_resnet, 101, 49_330_172),
        (gsop_resnet, 50, 28_285_224),
        (gsop_resnet, 101, 47_277_352),
    ],
)
def test_the_networks_written_here_are_as_large_as_published(
    network, depth, parameters
):
    with torch.device('meta'):
        model = network(depth)
    assert sum(value.numel() for value in model.parameters()) == parameters


@pytest.mark.parametrize(
    ('stages', 'chosen'),
    [((2, 3, 4), 'attention_blocks=((), (3,), (5,), (2,))'), ((1, 2, 3, 4), "'last'")],
)
def test_gsop_tells_how_it_is_a_classifier_and_where_its_attention_sits(stages, chosen):
    with torch.device('meta'):
        state_dict = gsop_resnet(50, width=16).state_dict()
    attention = 'conv_for_DR|bn_for_DR|row_bn|row_conv_group|fc_adapt_channels'
    for name in list(state_dict):
        found = re.match(rf'layer(\d)\.\d+\.({attention})\.', name)
        if found and int(found[1]) not in stages:
            del state_dict[name]
    _, fits = gsop.convert(state_dict)
    assert f'{chosen}), as classifier with strides=(1, 2, 2, 1)' in fits


def cbam_weights():
    return random_weights(cbam_resnet(50, width=16))


def gsop_weights():
    return random_weights(gsop_resnet(50, width=16))


def bam(weights):
    for name in [name for name in weights if '.cbam.' in name]:
        del weights[name]
    weights['bam1.channel_att.gate_c.gate_c_fc_0.weight'] = torch.ones(1, 16)


def for_cifar(weights):
    weights['conv1.weight'] = torch.ones(16, 3, 3, 3)


def without_spatial_gates(weights):
    for name in [name for name in weights if '.SpatialGate.' in name]:
        del weights[name]


def gsop_net2(weights):
    for name in [name for name in weights if re.match(r'layer4\.2\..*(_DR|row)', name)]:
        del weights[name]
    weights['layer_reduce.weight'] = torch.ones(256, 512, 1, 1)


def with_positions(weights):
    weights['layer1.2.conv_for_DR_spatial.weight'] = torch.ones(128, 64, 1, 1)


def positions_alone(weights):
    for name in [name for name in weights if re.search(r'DR|row|adapt', name)]:
        weights[re.sub(r'\.(\w+)$', r'_spatial.\1', name)] = weights.pop(name)


@pytest.mark.parametrize(
    ('make', 'change', 'message'),
    [
        (cbam_weights, bam, "has 'bam1.channel_att.* take the weights of CBAM"),
        (cbam_weights, for_cifar, 'conv1.weight is 3x3: .*images of CIFAR'),
        (cbam_weights, without_spatial_gates, 'lacks .*cbam.conv.weight.*80 names'),
        (
            cbam_weights,
            lambda weights: weights.pop('layer3.5.cbam.ChannelGate.mlp.3.bias'),
            "lacks 'layer3.5.cbam.fc2.bias'",
        ),
        (
            cbam_weights,
            lambda weights: weights.pop('layer1.0.cbam.ChannelGate.mlp.1.weight'),
            "lacks 'layer1.0.cbam.fc1.weight'",
        ),
        (gsop_weights, gsop_net2, "has 'layer_reduce.weight': it is of GSoP-Net2"),
        (gsop_weights, with_positions, "has 'layer1.2.conv_for_DR_s.*to positions"),
        (gsop_weights, positions_alone, 'attention to positions, alone'),
        (
            gsop_weights,
            lambda weights: weights.pop('layer4.2.row_bn.running_var'),
            "lacks 'layer4.2.gsop.row_bn.running_var'",
        ),
    ],
)
def test_other_networks_and_parts_are_refused(make, change, message, tmp_path):
    weights = make()
    change(weights)
    path, out = tmp_path / 'official.pth', tmp_path / 'out.pth'
    save_as_the_authors(weights, path)
    with pytest.raises(UserError, match=message) as error:
        convert_checkpoint(str(path), str(out))
    assert len(str(error.value).splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize('network', [cbam_resnet, gsop_resnet])
def test_weights_by_our_names_are_not_taken_for_torchvisions(network):
    with torch.device('meta'):
        state_dict = network(50, width=16).state_dict()
    converted, _ = SOURCES[network.__name__].convert(state_dict)
    assert 'fc.weight' in converted and not torchvision.matches(converted, {})
