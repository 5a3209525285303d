"""What the members of Table 2 cost, against formulas in C."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import config_path
from mmdet_eca.tables.attention_layers import attention_layer_rows, attention_layer_text

CHANNELS = (256, 512, 1024, 2048)
BLOCKS = (3, 4, 6, 3)  # of a ResNet-50
WEIGHTS = {  # by Table 2
    'SE': lambda c: 2 * c**2 // 16,
    'SE-Var1': lambda c: 0,
    'SE-Var2': lambda c: c,
    'SE-Var3': lambda c: c**2,
    'SE-GC1': lambda c: c**2 // 16,
    'SE-GC2': lambda c: 16 * c,
    'SE-GC3': lambda c: 8 * c,
    'ECA-NS': lambda c: 3 * c,
    'ECA': lambda c: 3,
}


@pytest.fixture(scope='module')
def rows():
    return {row['name']: row for row in attention_layer_rows()}


def test_every_member_is_counted(rows):
    assert list(rows) == list(WEIGHTS)


@pytest.mark.parametrize('name', WEIGHTS)
def test_counts_are_those_of_the_formula(name, rows):
    """Each weight is used once, those that ECA shares once a channel."""
    row, weights = rows[name], WEIGHTS[name]
    uses = [c if name == 'ECA' else 1 for c in CHANNELS]
    operations = [weights(c) * n for c, n in zip(CHANNELS, uses)]
    assert row['params'] == [weights(c) for c in CHANNELS]
    assert row['operations'] == operations
    assert row['resnet50_operations'] == sum(
        blocks * number for blocks, number in zip(BLOCKS, operations)
    )


@pytest.mark.parametrize('name', WEIGHTS)
def test_resnet50_has_as_many_weights_more(name, rows):
    backbone = Config.fromfile(
        config_path(f'imagenet/{rows[name]["config"]}.py')
    ).model.backbone
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        with_attention, plain = (
            sum(p.numel() for p in MODELS.build(cfg).parameters())
            for cfg in (backbone, dict(type='ResNet', depth=50))
        )
    assert rows[name]['resnet50_params'] == with_attention - plain


def test_table_has_the_papers_numbers(rows):
    lines = attention_layer_text(list(rows.values())).splitlines()
    cells = [tuple(line.strip('|').split()) for line in lines]
    assert ('ECA', '|', '3', '|', '3', '|', '3', '|', '3', '|', '48') in cells
    assert '| SE-GC2    | SEGroup           | 16 C      | 76.98 | 93.31 |' in lines
    assert 'without attention 75.20 / 92.25 (' in lines[-1]
