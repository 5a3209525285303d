"""Which networks are compared on the digits."""

import inspect
import re

import pytest
from mmdet.models import ResNet
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.paper import DIGITS, paper_rows, select_rows

ROWS = DIGITS.rows()
GROUPS = {row.group: None for row in ROWS}
# A norm_cfg of batch norm, and so on, is the same stated or not.
DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(ResNet).parameters.items()
    if parameter.default is not parameter.empty
}


def load(row):
    return Config.fromfile(row.config)


def test_the_rows_are_those_of_the_paper():
    rows = {(row.group, row.label): row for row in ROWS}
    for group in set(GROUPS) - {'Table 2'}:
        assert [label for g, label in rows if g == group] == ['plain', 'SE', 'ECA']
    members = [label for group, label in rows if group == 'Table 2']
    assert len(members) == len(paper_rows([2])) + 1
    assert members[1:-2] == [row.method for row in paper_rows([2])[1:-1]]


def test_every_row_is_compared_with_a_plain_one_of_its_group():
    rows = {row.name: row for row in ROWS}
    for row in rows.values():
        plain = rows[row.plain]
        assert (plain.group, plain.label) == (row.group, 'plain')
        assert plain.seeds == row.seeds


def test_what_a_row_starts_from_has_its_attention_or_none():
    rows = {row.name: row for row in ROWS}
    for row in rows.values():
        if row.starts_from:
            start = load(row.starts_from).model.backbone
            expected = load(row).model.backbone.type
            assert start.type == ('ResNet' if row.group == 'Retrofit' else expected)


@pytest.mark.parametrize('group', GROUPS)
def test_rows_of_a_group_differ_in_their_attention_only(group):
    """And in where the weights come from; the widths are the same."""
    recipes = []
    for row in ROWS:
        if row.group != group:
            continue
        cfg = load(row)
        backbone = cfg.model.pop('backbone')
        for key in ('type', 'attention', 'kernel_size'):
            backbone.pop(key, None)
        cfg.pop('custom_imports', None)
        recipes.append(({**DEFAULTS, **backbone.to_dict()}, cfg.to_dict()))
    assert len(recipes) > 2
    assert all(recipe == recipes[0] for recipe in recipes)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_a_row_has_its_data_set_in_every_part(row):
    cfg = load(row)
    data = row.data_commands[0][3]
    for part, images in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        if row.is_classifier:
            if part != 'test':
                root = cfg[f'{part}_dataloader'].dataset.root
                assert root == f'{data}/crops/{part}'
            continue
        dataset, root = cfg[f'{part}_dataloader'].dataset, f'{data}/'
        annotations = f'annotations/instances_{images}.json'
        assert (dataset.data_root, dataset.ann_file) == (root, annotations)
        if part != 'train':
            assert cfg[f'{part}_evaluator'].ann_file == root + annotations


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_the_attention_is_that_of_the_row_at_full_size(row):
    if row.is_classifier:
        large = f'imagenet/{row.name.rpartition("_")[0]}.py'
    else:
        large = re.sub('_r50.*', '_r50_fpn_1x.py', row.name)
    large = Config.fromfile(config_path(large)).model.backbone
    ours = load(row).model.backbone
    keys = ['type', 'depth', 'attention', 'kernel_size']
    if row.group == 'Retrofit':
        keys.remove('kernel_size')  # the adaptive one, as plain weights bring none
    for key in keys:
        assert ours.get(key) == large.get(key)


def test_a_row_that_is_not_there():
    with pytest.raises(UserError, match="no row 'mask_rcnn_digits', did you mean"):
        select_rows(ROWS, ['mask_rcnn_digits'])
