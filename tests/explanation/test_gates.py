"""The weights that layers give to channels, against numpy and the folded path."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import UserError
from mmdet_eca.explanation import (
    attention_layers,
    channel_weights,
    constant_gates,
    gate_variation,
    recorded_gates,
    stack_gates,
)
from mmdet_eca.models.attention import CBAM, SCSE, ECALayer, GatherExcite, GSoP


class Detector(nn.Module):
    """As much of one as has attention."""

    def __init__(self, type='ECAResNet', base_channels=16, **kwargs):
        super().__init__()
        torch.manual_seed(0)
        cfg = dict(type=f'mmdet.{type}', depth=50, base_channels=base_channels)
        self.backbone = MODELS.build(dict(cfg, **kwargs))
        self.eval()
        for name, value in self.state_dict().items():
            if name.endswith('running_mean'):
                value.uniform_(-0.2, 0.2)

    def forward(self, images):
        return self.backbone(images)


@pytest.fixture(scope='module')
def folded():
    return Detector()


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 96)


@torch.no_grad()
def gates_of(model, images):
    with recorded_gates(model) as recorded:
        model(images)
    return {layer.name: weights for layer, (weights,) in recorded.items()}


def test_gates_are_the_papers_equation_of_each_layers_input(folded, images):
    seen = {}
    layers = attention_layers(folded)
    handles = [
        module.register_forward_pre_hook(
            lambda module, inputs, name=layer.name: seen.update({name: inputs[0]})
        )
        for layer, module in layers.items()
    ]
    gates = gates_of(folded, images)
    for handle in handles:
        handle.remove()
    assert len(gates) == 16
    for layer, module in layers.items():
        kernel = module.conv.weight.detach().numpy()[0, 0]
        pooled = seen[layer.name].numpy().mean(axis=(2, 3))
        expected = [
            1 / (1 + np.exp(-np.correlate(row, kernel, mode='same'))) for row in pooled
        ]
        np.testing.assert_allclose(gates[layer.name], expected, atol=1e-6)


def test_gates_are_those_of_the_folded_path(folded, images, monkeypatch):
    used = {}
    for layer, module in attention_layers(folded).items():

        def gate_before_conv(*args, name=layer.name, module=module):
            gate = ECALayer.gate_before_conv(module, *args)
            used[name] = gate.numpy()
            return gate

        monkeypatch.setattr(module, 'gate_before_conv', gate_before_conv)
    with torch.no_grad():
        folded(images)
    assert len(used) >= 7  # in the others the weights are larger than the maps
    gates = gates_of(folded, images)
    for name, gate in used.items():
        np.testing.assert_allclose(gates[name], gate, atol=1e-5)


def test_folded_and_direct_detectors_have_the_same_gates(folded, images):
    direct = Detector(folded=False)
    direct.load_state_dict(folded.state_dict())
    for name, gate in gates_of(direct, images).items():
        np.testing.assert_allclose(gate, gates_of(folded, images)[name], atol=1e-5)
    assert not any(m._forward_hooks for m in folded.modules())


def test_identity_start_is_at_distance_0(images):
    model = Detector()
    for module in attention_layers(model).values():
        module.start_as_identity()
    for weights in gates_of(model, images).values():
        away = gate_variation(weights, [weights[0], weights[1]])
        assert away == (0.5, 0, 0, 0, 0)


@pytest.mark.parametrize('per_channel', [True, False])
@torch.no_grad()
def test_constant_gates_are_a_plain_resnet_with_other_norms(
    folded, images, per_channel
):
    images = images * torch.tensor([1, 9])[:, None, None, None]  # other gates
    with recorded_gates(folded) as recorded:
        folded(images)
        folded(images[:1])
    before = folded(images)
    with constant_gates(folded, recorded, per_channel):
        constant = folded(images)
    for outs in zip(folded(images), before):
        torch.testing.assert_close(*outs, rtol=0, atol=0)

    plain = Detector('ResNet')
    plain.backbone.load_state_dict(folded.backbone.state_dict(), strict=False)
    blocks = dict(plain.named_modules())
    for layer, (weights, one_more) in recorded.items():
        mean = (weights.sum(0) + one_more[0]) / 3
        norm = blocks[layer.name].bn3
        for value in (norm.weight, norm.bias):
            value.mul_(torch.from_numpy(mean) if per_channel else float(mean.mean()))
    for ours, expected, away in zip(constant, plain(images), before):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
        assert (ours - away).abs().max() > 1e-3


def test_a_gate_that_cannot_be_constant_is_named(folded, images):
    with pytest.raises(UserError, match='backbone.layer1.0'):
        constant_gates(folded, {}).__enter__()
    cbam = Detector('AttentionResNet', attention=dict(type='CBAM'))
    with recorded_gates(cbam) as recorded:
        cbam(images)
    with pytest.raises(UserError, match='backbone.layer1.0, CBAM'):
        constant_gates(cbam, recorded).__enter__()


def test_distance_adds_up_from_channels_and_images():
    weights = np.random.default_rng(0).uniform(size=(7, 5))
    classes = [weights[:3].mean(0), weights[2:].mean(0)]
    away = gate_variation(weights, classes)
    values = [value for row in weights for value in row]
    mean = sum(values) / 35
    total = sum((value - mean) ** 2 for value in values) / 35
    assert away.mean == pytest.approx(mean)
    assert away.total == pytest.approx(total**0.5 / mean)
    assert away.total**2 == pytest.approx(away.channels**2 + away.images**2)
    by_class = np.subtract(*classes) / 2  # each class is as far from their mean
    assert away.classes == pytest.approx((by_class**2).mean() ** 0.5 / mean)


def test_images_count_for_every_class_that_they_have(folded):
    layers = list(attention_layers(folded))
    images = [{layer: [np.full((1, 4), value)] for layer in layers} for value in (1, 2)]
    labels = [np.array([3, 3, 5]), np.array([5])]
    gates = stack_gates(images, labels, tuple('0123456789'))
    means = gates.class_means(0)
    assert {label: mean.tolist() for label, mean in means.items()} == {
        3: [1] * 4,
        5: [1.5] * 4,
    }


@pytest.mark.parametrize(
    ('layer', 'has_gate'),
    [
        (CBAM(16), False),
        (SCSE(16), False),
        (GSoP(16, width=8), True),
        (GatherExcite(16), True),
        (GatherExcite(16, variant='theta', extent=2), False),
    ],
    ids=lambda value: type(value).__name__,
)
@torch.no_grad()
def test_other_systems_give_the_closest_factor(layer, has_gate):
    x = torch.randn(2, 16, 8, 8)
    if isinstance(layer, CBAM):  # whose spatial gate starts as a constant
        layer.bn.weight.fill_(1)
    y = layer.eval()(x)
    weights = channel_weights(layer, x, y)
    for image in range(2):
        for channel in range(16):
            column, target = x[image, channel].flatten(), y[image, channel].flatten()
            closest, *_ = np.linalg.lstsq(column.numpy()[:, None], target.numpy(), None)
            assert float(weights[image, channel]) == pytest.approx(*closest, abs=1e-5)
    rescaled = weights[:, :, None, None] * x
    assert torch.allclose(rescaled, y, atol=1e-5) == has_gate
    ((found, _),) = attention_layers(nn.Sequential(layer)).items()
    assert found.has_gate == has_gate


@pytest.mark.parametrize(
    ('backbone', 'base_channels', 'message'),
    [('ResNet', 16, 'no attention layer'), ('AAResNet', 64, 'attention-augmented')],
)
def test_no_gates_is_said(backbone, base_channels, message):
    with pytest.raises(UserError, match=message):
        attention_layers(Detector(backbone, base_channels))


def test_layers_that_add_are_at_distance_0_from_1(images):
    model = Detector(type='GCResNet')
    layers = attention_layers(model)
    assert layers and not any(layer.has_gate for layer in layers)
    for weights in gates_of(model, images).values():
        away = gate_variation(weights)
        assert away.mean == pytest.approx(1, abs=1e-6)
        assert away.total == pytest.approx(0, abs=1e-6)
