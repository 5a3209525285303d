"""Every member of the family against its equation in Table 2."""

import numpy as np
import pytest
import torch
from mmcv.cnn import build_plugin_layer
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from mmdet_eca import (
    ECALayer,
    ECANonShared,
    SEGroup,
    SEVar1,
    SEVar2,
    SEVar3,
    SqueezeExcitation,
    UserError,
)
from tests.conftest import every_amp
from tests.models.exporting import export, run_onnx

C = 48


def weight(layer):
    return next(layer.parameters()).detach().double().numpy()


def two_layers(layer, y):
    w1, w2 = (p.detach().double().numpy() for p in layer.parameters())
    return w2 @ np.maximum(w1 @ y, 0)


def blocks(layer, y):
    matrix = np.zeros((C, C))
    width = C // layer.groups
    for channel, row in enumerate(weight(layer)[:, :, 0]):
        start = channel // width * width
        matrix[channel, start : start + width] = row
    return matrix @ y


def band(layer, y):
    """Each channel and its (k - 1) / 2 neighbours to both sides."""
    matrix = np.zeros((C, C))
    k = layer.kernel_size
    for channel in range(C):
        for j in range(k):
            neighbour = channel - k // 2 + j
            if 0 <= neighbour < C:
                matrix[channel, neighbour] = weight(layer).reshape(-1, k)[
                    channel if isinstance(layer, ECANonShared) else 0, j
                ]
    return matrix @ y


# Type and arguments, f of a pooled vector y, number of weights by Table 2.
FAMILY = [
    (SqueezeExcitation, {}, two_layers, 2 * C**2 // 16),
    (SqueezeExcitation, dict(ratio=4), two_layers, 2 * C**2 // 4),
    (SEVar1, {}, lambda layer, y: y, 0),
    (SEVar2, {}, lambda layer, y: np.diag(weight(layer)) @ y, C),
    (SEVar3, {}, lambda layer, y: weight(layer) @ y, C**2),
    (SEGroup, {}, blocks, C**2 // 16),
    (SEGroup, dict(group_width=16), blocks, 16 * C),
    (SEGroup, dict(group_width=8), blocks, 8 * C),
    (ECANonShared, {}, band, 3 * C),
    (ECANonShared, dict(kernel_size=5), band, 5 * C),
    (ECALayer, {}, band, 3),
    (ECALayer, dict(kernel_size=7), band, 7),
]
members = pytest.mark.parametrize(
    ('layer', 'f', 'weights'),
    [
        pytest.param((kind, arguments), f, n, id=f'{kind.__name__}{arguments}')
        for kind, arguments, f, n in FAMILY
    ],
)


@members
def test_output_is_that_of_the_equation(layer, f, weights):
    kind, arguments = layer
    layer = kind(C, **arguments).double()
    x = torch.randn(3, C, 5, 4, dtype=torch.float64)
    expected = np.empty(x.shape)
    for image, features in enumerate(x.numpy()):
        pooled = features.reshape(C, -1).mean(1)
        gate = 1 / (1 + np.exp(-f(layer, pooled)))
        expected[image] = features * gate[:, None, None]
    np.testing.assert_allclose(
        layer(x).detach().numpy(), expected, rtol=1e-12, atol=1e-14
    )


@members
def test_number_of_weights_is_that_of_table_2(layer, f, weights):
    kind, arguments = layer
    assert sum(p.numel() for p in kind(C, **arguments).parameters()) == weights


@members
def test_nothing_hides_a_nan(layer, f, weights):
    kind, arguments = layer
    x = torch.ones(2, C, 2, 2)
    x[0, 3, 1, 1] = float('nan')
    out = kind(C, **arguments)(x)
    assert out[0, 3].isnan().all() and not out[1].isnan().any()


@members
def test_gradients_in_float64(layer, f, weights):
    kind, arguments = layer
    layer = kind(C, **arguments).double()
    names = [name for name, _ in layer.named_parameters()]
    x = torch.randn(2, C, 1, 2, dtype=torch.float64, requires_grad=True)

    def forward(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters)), x)

    assert torch.autograd.gradcheck(forward, (x, *layer.parameters()), fast_mode=True)


@every_amp
@members
def test_autocast_gives_the_eager_output(layer, f, weights, device, dtype):
    kind, arguments = layer
    layer = kind(C, **arguments)
    x = torch.randn(2, C, 4, 4)
    expected = layer(x)
    with torch.autocast(device.type, dtype):
        out = layer(x.to(dtype))
    error = (out.float() - expected).abs().max() / expected.abs().max()
    assert out.dtype == dtype and error < 4 * torch.finfo(dtype).eps


@members
def test_channels_last_stays_and_gives_the_same_output(layer, f, weights):
    kind, arguments = layer
    layer = kind(C, **arguments)
    x = torch.randn(2, C, 4, 6)
    out = layer(x.contiguous(memory_format=torch.channels_last))
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out, layer(x), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope='module')
def whole_family():
    torch.manual_seed(0)
    return nn.Sequential(
        *(kind(C, **arguments) for kind, arguments, *_ in FAMILY)
    ).eval()


def test_compiles_to_one_graph_with_inductor(whole_family):
    """One of each class: it takes seconds a layer."""
    layers = nn.Sequential(*{type(layer): layer for layer in whole_family}.values())
    assert len(layers) == 7
    x = torch.randn(2, C, 4, 4)
    compiled = torch.compile(layers, fullgraph=True)
    torch.testing.assert_close(compiled(x), layers(x))


def test_exports_and_runs_in_onnxruntime(whole_family):
    x = torch.randn(2, C, 4, 4)
    expected = whole_family(x)
    torch.testing.assert_close(export(whole_family, x)(x), expected)
    (out,) = run_onnx(whole_family, x)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    'kind',
    [SqueezeExcitation, SEVar1, SEVar2, SEVar3, SEGroup, ECANonShared, ECALayer],
    ids=lambda kind: kind.__name__,
)
def test_member_is_registered_and_a_plugin_of_mmdets_own_backbone(kind):
    assert MODELS.get(kind.__name__) is kind
    with DefaultScope.overwrite_default_scope('mmdet'):
        name, layer = build_plugin_layer(dict(type=kind.__name__), in_channels=256)
        assert name == kind._abbr_ and type(layer) is kind
        backbone = MODELS.build(
            dict(
                type='ResNet',
                depth=50,
                base_channels=8,
                plugins=[dict(cfg=dict(type=kind.__name__), position='after_conv3')],
            )
        )
    backbone.eval()  # mmdet's returns None
    found = [m for m in backbone.modules() if isinstance(m, kind)]
    assert len(found) == 3 + 4 + 6 + 3
    assert backbone(torch.randn(1, 3, 32, 32))[-1].isfinite().all()


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: SqueezeExcitation(8), 'ratio must be at most the 8 channels.*16'),
        (lambda: SqueezeExcitation(64, 0), 'ratio must be a positive integer.*0'),
        (lambda: SEGroup(40), 'groups must divide the 40 channels, got 16'),
        (lambda: SEGroup(40, group_width=16), 'group_width must divide.*got 16'),
        (lambda: SEGroup(32, 2, 16), 'groups or group_width, not both; got 2'),
        (lambda: SEGroup(32, 0), 'groups must be a positive integer, got 0'),
        (lambda: ECALayer(4, 5), 'kernel_size must be at most the 4.*got 5'),
        (lambda: ECANonShared(4, 7), 'kernel_size must be at most the 4.*got 7'),
        (lambda: ECANonShared(8, 2), 'positive odd integer.*got 2'),
        (lambda: SEVar2('8'), "in_channels must be a positive integer, got '8'"),
    ],
)
def test_wrong_arguments_are_named(build, message):
    with pytest.raises(UserError, match=message):
        build()
