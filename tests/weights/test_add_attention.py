"""A plain checkpoint gets attention, and its outputs stay the same."""

import re

import pytest
import torch
from mmdet.models import ResNet
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from mmdet_eca import UserError
from mmdet_eca.weights.add_attention import add_attention
from tests.models.backbones.test_identity_start import KINDS, LAYERS
from tests.tools.in_process import call, mistake
from tests.weights.layouts import fill, resnet_layout

ECA = dict(type='ECALayer')
DETECTOR = """
_base_ = 'mmdet::{base}'
model = dict(
    backbone=dict({backbone}init_cfg=None),
    neck=dict(in_channels={channels}, out_channels=16),
    bbox_head=dict(in_channels=16, feat_channels=16))
"""
SMALL = 'base_channels=16, '
BACKBONES = {
    'ResNet': SMALL,
    'ResNetV1d': f"type='ResNetV1d', {SMALL}",
    'ResNeXt': f"type='ResNeXt', groups=4, base_width=4, {SMALL}",
    'MobileNetV2': "type='MobileNetV2', widen_factor=0.25, depth=None, _delete_=True, "
    'out_indices=(1, 2, 4, 6), ',
}


@pytest.fixture(params=BACKBONES)
def plain(request, tmp_path):
    """A config of a plain RetinaNet and its checkpoint, as mmengine writes it."""
    channels = [64, 128, 256, 512]
    arguments = BACKBONES[request.param]
    if request.param == 'MobileNetV2':
        channels = [8, 8, 24, 80]
        arguments = arguments.replace('depth=None, ', '')
    config = tmp_path / 'plain.py'
    config.write_text(
        DETECTOR.format(
            base='retinanet/retinanet_r50_fpn_1x_coco.py',
            backbone=arguments,
            channels=channels,
        )
    )
    model = build(config)
    path = tmp_path / 'plain.pth'
    torch.save(
        dict(
            meta=dict(dataset_meta=dict(classes=('a', 'b')), epoch=12),
            state_dict=seeded(model),
            optimizer={},
        ),
        path,
    )
    return config, path


def seeded(model):
    """Seeded weights for it."""
    return fill({name: value.shape for name, value in model.state_dict().items()})


def build(config, **options):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options)
    init_default_scope('mmdet')
    return MODELS.build(cfg.model).eval()


def outputs(model, path, x):
    load_checkpoint(model, str(path), map_location='cpu', strict=True)
    scores, boxes = model(x, mode='tensor')
    return [*scores, *boxes]


def test_a_detector_computes_what_it_did(plain, tmp_path):
    config, path = plain
    out = tmp_path / 'out.pth'
    message, *lines = add_attention(str(path), str(out), ECA).splitlines()
    assert message.startswith(f'{path}: ECALayer in ')
    kind = type(build(config).backbone).__name__
    assert f"type='Attention{kind}'" in lines[1]
    own = tmp_path / 'own.py'
    own.write_text('\n'.join([f"_base_ = '{config}'", *lines]))
    assert Config.fromfile(own).load_from == str(out)
    options = {} if kind == 'MobileNetV2' else {'model.backbone.folded': False}
    x = torch.randn(1, 3, 64, 64)
    expected = outputs(build(config), path, x)
    assert all(map(torch.equal, outputs(build(own, **options), out, x), expected))
    meta = torch.load(out, weights_only=True)['meta']
    assert meta['dataset_meta'] == dict(classes=('a', 'b'))


def test_plain_imagenet_weights_get_the_lines_of_a_pretrained_backbone(tmp_path):
    path, out = tmp_path / 'resnet50.pth', tmp_path / 'out.pth'
    plain = ResNet(50, base_channels=16)
    weights = dict(
        seeded(plain), **{'fc.weight': torch.zeros(3, 512), 'fc.bias': torch.zeros(3)}
    )
    torch.save(weights, path)
    _, *lines = add_attention(str(path), str(out), ECA).splitlines()
    namespace = {}
    exec('\n'.join(lines), namespace)
    init_default_scope('mmdet')
    backbone = MODELS.build(
        dict(namespace['model']['backbone'], depth=50, base_channels=16, folded=False)
    )
    backbone.init_weights()
    plain.load_state_dict(weights, strict=False)
    plain.eval()
    x = torch.randn(1, 3, 64, 64)
    assert all(map(torch.equal, backbone.eval()(x), plain(x)))


def save(weights, tmp_path):
    path = tmp_path / 'in.pth'
    torch.save(weights, path)
    return str(path)


def test_attention_that_is_there_is_named(tmp_path):
    weights = seeded(ResNet(18, base_channels=16))
    weights['layer1.0.eca.conv.weight'] = torch.zeros(1, 1, 3)
    path = save(weights, tmp_path)
    with pytest.raises(UserError, match="attention already, 'layer1.0.eca.conv"):
        add_attention(path, str(tmp_path / 'out.pth'), ECA)
    assert not (tmp_path / 'out.pth').exists()


def test_another_network_is_named(tmp_path):
    path = save({'blocks.0.attn.qkv.weight': torch.zeros(3)}, tmp_path)
    with pytest.raises(UserError, match="no residual blocks.*'blocks.0.attn"):
        add_attention(path, str(tmp_path / 'out.pth'), ECA)
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize(
    ('backbone', 'name'),
    [
        (dict(type='RegNet', arch='regnetx_400mf'), 'conv1.weight'),
        (dict(type='Res2Net', depth=50), 'layer1.0.convs.0.weight'),
        (dict(type='ResNeSt', depth=50), 'layer1.0.conv2.conv.weight'),
        (
            dict(
                type='DetectoRS_ResNet',
                depth=50,
                conv_cfg=dict(type='ConvAWS'),
                sac=dict(type='SAC', use_deform=True),
                stage_with_sac=(False, True, True, True),
            ),
            'layer1.0.conv1.weight_gamma',
        ),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_networks_with_names_like_a_resnets_are_refused(tmp_path, backbone, name):
    init_default_scope('mmdet')
    with torch.device('meta'):
        shapes = {
            f'backbone.{key}': value.shape
            for key, value in MODELS.build(backbone).state_dict().items()
        }
    # One number a tensor.
    path = save({k: torch.zeros(()).expand(s) for k, s in shapes.items()}, tmp_path)
    with pytest.raises(UserError, match=f'another backbone than a ResNet.*{name}'):
        add_attention(path, str(tmp_path / 'out.pth'), ECA)
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('prefixes', [['detector.'], ['teacher.', 'student.']], ids=str)
def test_the_detector_of_a_tracker_or_of_two_learners_gets_it(tmp_path, prefixes):
    plain = seeded(ResNet(18, base_channels=16))
    weights = {f'{p}backbone.{k}': v for p in prefixes for k, v in plain.items()}
    out = tmp_path / 'out.pth'
    *_, model, _ = add_attention(save(weights, tmp_path), str(out), ECA).splitlines()
    assert model == 'model = dict(detector=dict(backbone=backbone))'
    written = torch.load(out, weights_only=True)['state_dict']
    for prefix in prefixes:
        assert f'{prefix}backbone.layer4.1.eca.conv.weight' in written
        norm = f'{prefix}backbone.layer1.0.bn2.weight'
        assert torch.equal(written[norm], 2 * weights[norm])


@pytest.mark.parametrize('kind', KINDS)
def test_the_file_has_what_loading_the_plain_weights_gives(tmp_path, kind):
    """With every layer: that this is the plain network, test_identity_start shows."""
    init_default_scope('mmdet')
    small = dict(KINDS[kind], depth=18)
    if kind == 'ResNeXt':  # which has no such depth
        small = KINDS[kind]
    elif kind == 'MobileNetV2':  # at least 16 channels
        small = {}
    weights = seeded(MODELS.build(dict(type=kind, **small)))
    path = save(weights, tmp_path)
    for number, layer in enumerate(LAYERS):
        if kind == 'MobileNetV2' and layer['type'] == 'SEGroup':
            layer = dict(layer, groups=4)  # it has blocks of 24 channels
        backbone = MODELS.build(dict(type=f'Attention{kind}', attention=layer, **small))
        backbone.load_state_dict(dict(weights))
        out = tmp_path / f'{number}.pth'
        add_attention(path, str(out), layer)
        written = torch.load(out, weights_only=True)['state_dict']
        loaded = backbone.state_dict()
        assert written.keys() == loaded.keys(), layer
        for name, value in loaded.items():
            # Or random, before the zeros.
            started = name not in weights and value.any() and written[name].any()
            assert written[name].shape == value.shape
            assert started or torch.equal(written[name], value), (layer, name)


@pytest.mark.parametrize(
    ('attention', 'message'),
    [
        (dict(type='ECALayr'), 'near ones are ECALayer'),
        (dict(type='SEVar1'), 'SEVar1 has no weights'),
        (dict(type='ECALayer', kernel_size=4), 'odd integer'),
    ],
)
def test_a_layer_that_does_not_go_is_named(tmp_path, attention, message):
    path = save(seeded(ResNet(18, base_channels=16)), tmp_path)
    with pytest.raises(UserError, match=message):
        add_attention(path, str(tmp_path / 'out.pth'), attention)
    assert not (tmp_path / 'out.pth').exists()


def test_a_file_that_is_there_is_kept(tmp_path):
    path = save(seeded(ResNet(18, base_channels=16)), tmp_path)
    before = (tmp_path / 'in.pth').read_bytes()
    with pytest.raises(UserError, match='in.pth exists: give another name'):
        add_attention(path, path, ECA)
    assert (tmp_path / 'in.pth').read_bytes() == before


def test_the_command_takes_the_layers_arguments(tmp_path, capsys):
    path = save(seeded(ResNet(18, base_channels=16)), tmp_path)
    words = ['add-attention', path, tmp_path / 'out.pth', '--attention', 'ECALayer']
    line = mistake(*words, '5')
    assert "takes KEY=VALUE after the type, such as ratio=16; got '5'" in line
    call(*words, 'kernel_size=5')
    assert "attention=dict(type='ECALayer', kernel_size=5)" in capsys.readouterr().out
    weights = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
    assert weights['layer4.1.eca.conv.weight'].shape == (1, 1, 5)
    # Its output is one that has attention, and one that exists.
    for words in (
        ['add-attention', tmp_path / 'out.pth', tmp_path / 'again.pth'],
        ['add-attention', path, tmp_path / 'out.pth'],
        ['add-attention', tmp_path / 'none.pth', tmp_path / 'again.pth'],
    ):
        assert re.search(
            'has attention already|out.pth exists|none.pth does not exist',
            mistake(*words),
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ['in.pth', 'out.pth']


@pytest.mark.parametrize('missing', ['layer2.0.bn3.bias', 'layer1.0.conv2.weight'])
def test_what_is_missing_is_named(missing, tmp_path):
    weights = fill(resnet_layout(50, width=2))
    del weights[missing]
    torch.save(weights, tmp_path / 'plain.pth')
    out = tmp_path / 'out.pth'
    with pytest.raises(UserError, match=f"lacks '{missing}'"):
        add_attention(str(tmp_path / 'plain.pth'), str(out), dict(type='ECALayer'))
    assert not out.exists()
