import numpy as np
import pytest
import torch
from mmcv.cnn import build_plugin_layer
from mmdet.models.backbones import ResNet
from mmengine.registry import DefaultScope

from mmdet_eca import ECALayer, UserError, eca_kernel_size


def eca_in_numpy(x, weight):
    """Equation (11) written out: zero-padded correlation along the channels."""
    pooled = x.mean(axis=(2, 3))
    k = len(weight)
    padded = np.pad(pooled, ((0, 0), (k // 2, k // 2)))
    mixed = np.zeros_like(pooled)
    for channel in range(x.shape[1]):
        mixed[:, channel] = padded[:, channel:channel + k] @ weight
    gate = 1 / (1 + np.exp(-mixed))
    return x * gate[:, :, None, None]


@pytest.mark.parametrize(('channels', 'kernel_size'), [(64, 3), (128, 5),
                                                       (256, 5), (512, 5),
                                                       (1024, 5), (2048, 7)])
def test_adaptive_kernel_size_is_that_of_the_authors(channels, kernel_size):
    assert eca_kernel_size(channels) == kernel_size
    assert ECALayer(channels).kernel_size == kernel_size


def test_adaptive_kernel_size_is_the_truncated_formula_or_the_next_odd():
    for channels in range(1, 5000):
        truncated = int(np.log2(channels) / 2 + 1 / 2)
        expected = truncated + (truncated % 2 == 0)
        assert eca_kernel_size(channels) == expected


def test_gamma_and_b_change_the_adaptive_kernel_size():
    assert eca_kernel_size(256, gamma=1, b=1) == 9  # log2(256) + 1
    assert eca_kernel_size(256, gamma=4, b=4) == 3  # 8/4 + 4/4
    assert ECALayer(256, gamma=1).kernel_size == 9


@pytest.mark.parametrize('kernel_size', [1, 3, 5, 7, 9])
def test_output_is_that_of_the_equation(kernel_size):
    layer = ECALayer(16, kernel_size).double()
    x = torch.randn(3, 16, 5, 4, dtype=torch.float64)
    expected = eca_in_numpy(x.numpy(),
                            layer.conv.weight.detach().numpy().ravel())
    np.testing.assert_allclose(
        layer(x).detach().numpy(), expected, rtol=1e-12, atol=1e-15)


def test_layer_has_k_weights_and_nothing_else():
    state = ECALayer(512, 5).state_dict()
    assert {name: tuple(value.shape)
            for name, value in state.items()} == {'conv.weight': (1, 1, 5)}


def test_gradients_in_float64():
    layer = ECALayer(6, 3).double()
    x = torch.randn(2, 6, 3, 4, dtype=torch.float64, requires_grad=True)

    def forward(x, weight):
        return torch.func.functional_call(layer, {'conv.weight': weight}, x)

    assert torch.autograd.gradcheck(forward, (x, layer.conv.weight))


def test_nan_is_not_hidden():
    x = torch.ones(1, 8, 2, 2)
    x[0, 3, 0, 0] = float('nan')
    out = ECALayer(8, 3)(x)
    assert out[0, 2:5].isnan().all() and not out[0, :2].isnan().any()


@pytest.mark.parametrize('kernel_size', [0, -1, 2, 4, 3.0, '3', True, (3, )])
def test_wrong_kernel_size_is_named(kernel_size):
    with pytest.raises(UserError, match='kernel_size must be a positive odd'):
        ECALayer(64, kernel_size)


@pytest.mark.parametrize('channels', [0, -64, 2.5, None])
def test_wrong_channels_are_named(channels):
    with pytest.raises(UserError, match='must be a positive integer'):
        eca_kernel_size(channels)
    with pytest.raises(UserError, match='in_channels must be a positive'):
        ECALayer(channels)


def test_wrong_gamma_is_named():
    with pytest.raises(UserError, match='gamma must be positive, got 0'):
        eca_kernel_size(64, gamma=0)


def test_layer_is_a_plugin_of_mmdets_own_backbone():
    with DefaultScope.overwrite_default_scope('mmdet'):
        name, layer = build_plugin_layer(dict(type='ECALayer'), in_channels=256)
        assert name == 'eca' and layer.kernel_size == 5
        plugins = [dict(cfg=dict(type='ECALayer'), position='after_conv3')]
        backbone = ResNet(50, plugins=plugins)
    names = [n for n in backbone.state_dict() if '.eca.' in n]
    assert len(names) == 3 + 4 + 6 + 3
    assert names[0] == 'layer1.0.eca.conv.weight'
