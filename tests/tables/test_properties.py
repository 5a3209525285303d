"""The ticks of Table 1, found in the layers."""

import pytest
import torch

from mmdet_eca.models.attention import CBAM, ECALayer, GatherExcite, SqueezeExcitation
from mmdet_eca.tables.paper_rows import load_tick_rows
from mmdet_eca.tables.properties import (
    channel_reach,
    narrowest_width,
    property_rows,
    property_text,
)

PLAIN = 25_557_032  # parameters of ResNet-50
# Channels of the first attention layer, the narrowest of its layers, the channels that
# one depends on, and the parameters of the whole network.
SYSTEMS = {
    'se_resnet50': (256, 256 // 16, 256, 28_071_976),
    'cbam_resnet50': (256, 1, 256, 28_089_624),
    'ge_theta_minus_resnet50': (256, 256, 1, PLAIN),
    'ge_theta_resnet50': (256, 256, 1, 31_106_600),
    'ge_theta_plus_resnet50': (256, 256 // 16, 256, 33_637_592),
    'a2_resnet50': (512, 512 // 2, 512, 32_911_400),
    'gsop_resnet50': (256, 128, 256, 28_285_224),
    'eca_resnet50': (256, 256, 3, PLAIN + 80),  # 80: as the paper's text
}
LAYERS = [
    SqueezeExcitation(32, ratio=8),
    ECALayer(32, kernel_size=5),
    GatherExcite(32),
    GatherExcite(32, variant='theta', map_size=3),
    GatherExcite(32, variant='theta+', map_size=3, ratio=4),
]


@pytest.fixture(scope='module')
def rows():
    return {row['name']: row for row in property_rows()}


@pytest.mark.parametrize('name', SYSTEMS)
def test_figures_are_those_of_the_systems_papers(name, rows):
    channels, narrowest, reach, parameters = SYSTEMS[name]
    row = rows[name]
    assert (row['channels'], row['narrowest'], row['reach']) == (
        channels,
        narrowest,
        reach,
    )
    assert row['weights'] == parameters - PLAIN


def test_ticks_are_those_of_the_paper(rows):
    assert list(rows) == [row.name for row in load_tick_rows()]
    for row in load_tick_rows():
        found = rows[row.name]
        assert found['no_reduction'] == row.no_reduction
        assert found['cross_channel'] == row.cross_channel
        assert found['lightweight'] == row.lightweight
        assert found['agrees']


@pytest.mark.parametrize('layer', LAYERS, ids=lambda layer: type(layer).__name__)
def test_the_gate_has_as_many_degrees_of_freedom_as_the_narrowest_layer(layer):
    """The rank of its derivative by the channels at one position."""
    torch.manual_seed(0)
    # A band matrix of some weights is singular but for rounding.
    for module in layer.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    layer = layer.double().eval()
    x = torch.rand(1, 32, 3, 3, dtype=torch.float64) + 0.5

    def gate(at_one_position):
        moved = x.clone()
        moved[0, :, 1, 1] = at_one_position
        return (layer(moved) / moved)[0, :, 0, 0]

    jacobian = torch.autograd.functional.jacobian(gate, x[0, :, 1, 1])
    rank = torch.linalg.matrix_rank(jacobian, rtol=1e-9).item()
    narrowest = narrowest_width(layer)
    assert rank == narrowest or (rank < narrowest < 32)  # a ReLU may be zero


@pytest.mark.parametrize(('kernel_size', 'reach'), [(1, 1), (3, 3), (9, 9)])
def test_a_channel_reaches_as_far_as_the_kernel(kernel_size, reach):
    assert channel_reach(ECALayer(32, kernel_size=kernel_size).double()) == reach


def test_a_gate_of_the_positions_joins_all_channels():
    layer = CBAM(32).double().eval()
    torch.nn.init.zeros_(layer.fc2.weight)  # the channel gate sees nothing
    torch.nn.init.ones_(layer.bn.weight)
    assert channel_reach(layer) == 32


def test_table_marks_what_the_paper_has_otherwise(rows):
    other = dict(rows['se_resnet50'], paper_no_reduction=True, agrees=False)
    text = property_text([other, rows['eca_resnet50']])
    assert 'no, paper: yes (16 of 256)' in text
    assert '1 of 2 rows agree' in text
    assert 'yes (3 of 256)' in text and '- (2,514,944)' in text


def test_second_order_pooling_is_lightweight_with_three_blocks(rows):
    """By the notes: 641 C + 66,688 weights a block, without that of c2."""
    weights = sum(641 * channels + 66_688 for channels in (512, 1024, 2048))
    assert f'{weights:,}' in property_text(list(rows.values()))
    assert weights < rows['se_resnet50']['weights'] < rows['gsop_resnet50']['weights']
