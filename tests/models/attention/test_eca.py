import numpy as np
import pytest

from mmdet_eca import ECALayer, UserError, eca_kernel_size


@pytest.mark.parametrize(
    ('channels', 'kernel_size'),
    [(64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)],
)
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


def test_layer_has_k_weights_and_nothing_else():
    state = ECALayer(512, 5).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        'conv.weight': (1, 1, 5)
    }


@pytest.mark.parametrize('kernel_size', [0, -1, 2, 4, 3.0, '3', True, (3,)])
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
