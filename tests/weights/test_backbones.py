"""timm's and MMPretrain's networks, written here from their definitions."""

import pytest
import torch
from mmengine.runner import CheckpointLoader
from torch.nn import functional as F

from mmdet_eca import AttentionResNet, ECAResNet, ECAResNetV1d, SEResNet, UserError
from mmdet_eca.weights.convert import convert_checkpoint
from tests.weights.layouts import fill, read_layout, resnet_layout

BLOCKS = (3, 4, 6, 3)


@pytest.fixture
def images():
    return torch.randn(2, 3, 65, 97).double()


class Weights:
    """The layers of a state dict, called by name."""

    def __init__(self, state_dict):
        self.weights = state_dict

    def conv(self, x, name, **kwargs):
        return F.conv2d(
            x,
            self.weights[f'{name}.weight'],
            self.weights.get(f'{name}.bias'),
            **kwargs,
        )

    def norm(self, x, name):
        return F.batch_norm(
            x,
            *(
                self.weights[f'{name}.{part}']
                for part in ('running_mean', 'running_var', 'weight', 'bias')
            ),
        )

    def stages(self, x, prefix, attention, shortcut):
        for stage, number in enumerate(BLOCKS, start=1):
            for block in range(number):
                name = f'{prefix}layer{stage}.{block}'
                stride = 2 if stage > 1 and block == 0 else 1
                out = self.norm(self.conv(x, f'{name}.conv1'), f'{name}.bn1')
                out = self.norm(
                    self.conv(out.relu(), f'{name}.conv2', stride=stride, padding=1),
                    f'{name}.bn2',
                )
                out = self.norm(self.conv(out.relu(), f'{name}.conv3'), f'{name}.bn3')
                out = out * attention(out.mean((2, 3), keepdim=True), name)
                if block == 0:
                    x = shortcut(x, f'{name}.downsample', stride)
                x = (x + out).relu()
            yield x


def timm_ecaresnet50d(state_dict, x):
    net = Weights(state_dict)

    def attention(pooled, name):
        kernel = net.weights[f'{name}.se.conv.weight']
        return (
            F.conv1d(pooled[..., 0].mT, kernel, padding=kernel.shape[-1] // 2)
            .mT[..., None]
            .sigmoid()
        )

    def shortcut(x, name, stride):
        if stride == 2:
            x = F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
        return net.norm(net.conv(x, f'{name}.1'), f'{name}.2')

    x = net.norm(net.conv(x, 'conv1.0', stride=2, padding=1), 'conv1.1').relu()
    x = net.norm(net.conv(x, 'conv1.3', padding=1), 'conv1.4').relu()
    x = net.norm(net.conv(x, 'conv1.6', padding=1), 'bn1').relu()
    x = F.max_pool2d(x, 3, 2, 1)
    return list(net.stages(x, '', attention, shortcut))


def mmpretrain_seresnet50(state_dict, x):
    net = Weights(state_dict)

    def attention(pooled, name):
        squeezed = net.conv(pooled, f'{name}.se_layer.conv1.conv').relu()
        return net.conv(squeezed, f'{name}.se_layer.conv2.conv').sigmoid()

    def shortcut(x, name, stride):
        return net.norm(net.conv(x, f'{name}.0', stride=stride), f'{name}.1')

    x = net.norm(
        net.conv(x, 'backbone.conv1', stride=2, padding=3), 'backbone.bn1'
    ).relu()
    x = F.max_pool2d(x, 3, 2, 1)
    return list(net.stages(x, 'backbone.', attention, shortcut))


@torch.no_grad()
def check_features(backbone, images, expected):
    """In double precision, so that only the order of sums may differ."""
    backbone.double().eval()
    for features, reference in zip(backbone(images), expected):
        scale = reference.abs().max()
        assert scale > 1e-2  # neither vanished nor exploded
        torch.testing.assert_close(
            features / scale, reference / scale, rtol=0, atol=1e-9
        )


@pytest.mark.parametrize('way', ['init_cfg', 'tool'])
@pytest.mark.parametrize(
    ('layout', 'reference', 'backbone', 'scheme'),
    [
        (
            'timm_ecaresnet50d',
            timm_ecaresnet50d,
            dict(type=ECAResNetV1d, depth=50),
            'timm',
        ),
        (
            'mmpretrain_seresnet50',
            mmpretrain_seresnet50,
            dict(type=SEResNet, depth=50, bias=True),
            'mmpretrain',
        ),
    ],
)
def test_features_are_the_sources(
    layout, reference, backbone, scheme, way, images, tmp_path
):
    state_dict = fill(read_layout(layout))
    path, checkpoint = tmp_path / 'source.pth', tmp_path / 'converted.pth'
    torch.save(
        state_dict
        if scheme == 'timm'
        else dict(meta=dict(mmengine_version='0.10'), state_dict=state_dict),
        path,
    )
    if way == 'init_cfg':
        checkpoint = f'{scheme}://{path}'
    else:
        message = convert_checkpoint(str(path), str(checkpoint))
        assert backbone['type'].__name__ + '(depth=50' in message
        assert f'{len(state_dict)} tensors' in message  # whole
    backbone = dict(backbone)
    model = backbone.pop('type')(
        **backbone, init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint))
    )
    model.init_weights()
    weights = {name: value.double() for name, value in state_dict.items()}
    check_features(model, images, reference(weights, images))


def loaded(filename):
    return CheckpointLoader.load_checkpoint(filename)['state_dict']


def test_the_authors_weights_keep_their_names(tmp_path):
    shapes = resnet_layout(101, (3, 3, 5, 7))
    state_dict = fill(shapes)
    path, out = tmp_path / 'eca_resnet101_k3357.pth.tar', tmp_path / 'out.pth'
    torch.save(
        dict(
            epoch=100,
            arch='eca_resnet101',
            best_prec1=78.65,
            state_dict={f'module.{k}': v for k, v in state_dict.items()},
        ),
        path,
    )
    message = convert_checkpoint(str(path), str(out))
    assert "the ECA-Net authors' ImageNet weights" in message
    assert 'ECAResNet(depth=101, kernel_size=(3, 3, 5, 7))' in message
    for weights in (torch.load(out)['state_dict'], loaded(f'ecanet://{path}')):
        assert set(weights) == set(shapes)
        assert all(torch.equal(weights[k], state_dict[k]) for k in shapes)
    model = ECAResNet(101, (3, 3, 5, 7), base_channels=8)
    lacking = model.load_state_dict(loaded(f'ecanet://{path}'), strict=False)
    assert not lacking.missing_keys
    assert lacking.unexpected_keys == ['fc.weight', 'fc.bias']


def test_torchvisions_weights_without_the_counts_of_batches(tmp_path):
    """As torch before 0.4.1 wrote them."""
    state_dict = {
        name: value
        for name, value in fill(resnet_layout()).items()
        if 'num_batches' not in name
    }
    path, out = tmp_path / 'resnet50.pth', tmp_path / 'out.pth'
    torch.save(state_dict, path, _use_new_zipfile_serialization=False)
    message = convert_checkpoint(str(path), str(out))
    assert "torchvision's" in message
    assert 'AttentionResNet(depth=50)' in message
    AttentionResNet(50, base_channels=8).load_state_dict(
        torch.load(out)['state_dict'], strict=False
    )


def test_plain_mmpretrain_weights(tmp_path):
    shapes = resnet_layout(prefix='backbone.', classes=0)
    shapes['head.fc.weight'] = (10, 256)
    shapes['head.fc.bias'] = (10,)
    path = tmp_path / 'resnet50.pth'
    torch.save(dict(state_dict=fill(shapes)), path)
    assert set(loaded(f'mmpretrain://{path}')) == set(resnet_layout())


def test_converting_twice_changes_nothing(tmp_path):
    path, once, twice = (str(tmp_path / name) for name in 'abc')
    torch.save(fill(read_layout('timm_ecaresnet50d')), path)
    convert_checkpoint(path, once)
    assert 'nothing to rename' in convert_checkpoint(once, twice)
    first, second = (torch.load(p)['state_dict'] for p in (once, twice))
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda w: w.pop('layer3.2.bn2.bias'),
            "lacks 'layer3.2.bn2.bias' (1 names missing) of ECAResNetV1d(depth=50",
        ),
        (
            lambda w: w.update({'layer2.0.conv4.weight': torch.ones(1)}),
            "has 'layer2.0.conv4.weight' (1 names left over)",
        ),
        (
            lambda w: [w.pop(name) for name in list(w) if 'layer3.5' in name],
            '(3, 4, 5, 3) blocks a stage are no ResNet',
        ),
        (
            lambda w: w.update({'conv1.0.weight': torch.ones(24, 3, 3, 3)}),
            'stem.0.weight is of shape (24, 3, 3, 3), in ECAResNetV1d',
        ),
        (
            lambda w: w.update({'layer2.1.se.conv.weight': torch.ones(1, 1, 9)}),
            'layer2.1.eca.conv.weight is of shape (1, 1, 9)',
        ),
    ],
)
def test_what_is_not_whole_is_refused(change, message, tmp_path):
    state_dict = fill(read_layout('timm_ecaresnet50d'))
    change(state_dict)
    path, out = tmp_path / 'timm.pth', tmp_path / 'out.pth'
    torch.save(state_dict, path)
    with pytest.raises(UserError) as error:
        convert_checkpoint(str(path), str(out))
    assert message in str(error.value)
    assert not out.exists()
    with pytest.raises(UserError) as error:
        loaded(f'timm://{path}')
    assert message in str(error.value)


def test_a_scheme_takes_its_own_source_only(tmp_path):
    path = tmp_path / 'resnet50.pth'
    torch.save(fill(resnet_layout()), path)
    for scheme in ('ecanet', 'timm', 'mmpretrain'):
        with pytest.raises(UserError, match='is none of: '):
            loaded(f'{scheme}://{path}')
