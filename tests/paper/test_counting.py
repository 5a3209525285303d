"""The counter, against networks that are counted by hand."""

import json

import pytest
import torch
from torch import nn

from mmdet_eca.paper import complexity_text
from mmdet_eca.paper.counting import count, per_input, per_output


def test_convolutions_linear_layers_and_products_are_counted():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
            self.fc = nn.Linear(8, 10)

        def forward(self, x):
            x = self.grouped(self.conv(x)).flatten(2)  # (2, 8, 24)
            return self.fc((x @ x.transpose(1, 2)).mean(2))

    with torch.device('meta'):
        cost = count(Network(), torch.empty(2, 3, 8, 12))
    positions = 2 * 4 * 6
    convolutions = positions * (8 * 3 * 9 + 8 * 2 * 9)
    assert cost.products == 2 * 8 * 8 * 24
    assert cost.operations == convolutions + cost.products + 2 * 8 * 10
    assert cost.parameters == (8 * 3 * 9 + 8) + 8 * 2 * 9 + (80 + 10)
    assert cost.trained_parameters == cost.parameters


def test_frozen_parameters_do_not_train():
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))
    network[0].requires_grad_(False)
    cost = count(network, torch.empty(1, 4))
    assert (cost.parameters, cost.trained_parameters) == (25 + 36, 36)


def test_conventions_add_to_the_layers_of_a_type_and_leave_no_trace():
    network = nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU())
    conventions = (
        (nn.MaxPool2d, per_input(1)),
        ((nn.BatchNorm2d, nn.GroupNorm), per_output(4)),
        (nn.Module, lambda layer, x, output: 1000),
    )
    x = torch.rand(2, 3, 8, 8)
    for _ in range(2):
        cost = count(network, x, conventions=conventions)
        layers = 4 * 1000  # the network itself is one
        assert cost.operations == 2 * 3 * 64 + 4 * 2 * 3 * 16 + layers


def test_tool_prints_every_table(reproduce_tables):
    printed = reproduce_tables('complexity', '--table', 2, 4, 6, '--json')
    rows = json.loads(printed.out)
    assert [row['table'] for row in rows] == [2] * 9 + [4] * 8 + [6] * 8
    assert '8/8' in printed.err
    for row in rows[17:]:
        assert {'detector', 'depth', 'attention', 'params_m'} <= set(row)
        assert row['paper_gflops'] + row['diff_gflops'] == pytest.approx(row['gflops'])
    text = complexity_text(rows)
    assert 'SE-GC2' in text and 'ResNet-200' in text
    assert 'mask_rcnn_eca_r101_fpn_1x' in text and '351.83' in text


def test_figure_4_counts_the_weights_of_every_kernel_size(reproduce_tables):
    """One kernel a block: 16 blocks of ResNet-50, 33 of ResNet-101."""
    rows = json.loads(reproduce_tables('complexity', '--figure', 4, '--json').out)
    weights = {(row['depth'], row['kernel_size']): row['weights'] for row in rows}
    for depth, blocks in ((50, 16), (101, 33)):
        for size in (3, 5, 7, 9):
            assert weights.pop((depth, size)) == blocks * size
    assert weights == {
        (50, 'adaptive'): 3 * 3 + 4 * 5 + 6 * 5 + 3 * 7,
        (101, 'adaptive'): 3 * 3 + 4 * 3 + 23 * 5 + 3 * 7,
        (50, None): 2_514_944,
        (101, None): 4_743_168,
    }
    lines = complexity_text(rows).splitlines()
    (line,) = (line for line in lines if '| eca_k9_resnet50 ' in line)
    assert [cell.strip() for cell in line.split('|')[2:-1]] == [
        '9', '144', '24.37', '3.86', '77.48',
    ]  # fmt: skip
