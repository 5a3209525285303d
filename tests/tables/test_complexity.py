"""The counter, against networks that are counted by hand."""

import json

import pytest
import torch
from torch import nn

from mmdet_eca.tables import complexity_text, count
from mmdet_eca.tables.complexity import per_input, per_output
from mmdet_eca.tables.complexity_tables import COUNTS, TEXTS


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


def test_every_table_of_the_paper_is_counted():
    assert [*COUNTS, 5, 6] == [1, 2, 3, 4, 5, 6]
    assert [table for tables in TEXTS for table in tables] == [1, 2, 3, 4, 5, 6]
