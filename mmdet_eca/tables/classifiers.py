"""Table 3: what the paper's ImageNet classifiers cost."""

import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from torch import nn

from ..engine import config_path
from ..visualization import text_table
from .complexity import (
    POOLING,
    Complexity,
    Conventions,
    count,
    layer_by_layer,
    per_output,
)
from .paper_rows import UNITS, ClassifierRow, load_classifier_rows

IMAGE_SIZE = 224
# Differences from the paper beyond this many 10^6 or 2^20 parameters, and 10^9 or
# 2^30 operations, are explained.
TOLERANCE = 0.01


class Counting(NamedTuple):
    """How the operations of a row were counted.

    Attributes:
        conventions (Conventions): What is counted beside multiply-adds.
        style (str): 'pytorch' for ResNets with stride 2 in the 3x3 convolution,
            'caffe' for those with stride 2 in the 1x1 convolution before it.
        products (bool): Whether products of two activations are counted.
    """

    conventions: Conventions = ()
    style: str = 'pytorch'
    products: bool = True


# The paper's own. Found by its figures: a batch norm has four operations an element
# (subtract, divide, scale, shift).
OWN = Counting(
    (POOLING, (nn.BatchNorm2d, per_output(4)), ((nn.ReLU, nn.ReLU6), per_output(1)))
)
# Those of the systems' papers, by the system, found by their figures too: multiply-adds
# alone.
QUOTED = {
    'a2': Counting(style='caffe'),
    'aa': Counting(products=False),
    'gc': Counting(style='caffe'),
    'gsop': Counting(style='caffe', products=False),
}


class Column(NamedTuple):
    """A column of the paper, in the dicts of :func:`classifier_rows`.

    Attributes:
        key (str): Key of the figure in the unit of the row.
        counts (str): Key of the plain count.
        unit (str): Key of the unit.
        units (tuple[str]): The units that occur, keys of ``UNITS``.
    """

    key: str
    counts: str
    unit: str
    units: tuple[str, str]


PARAMS = Column('params_m', 'params', 'params_unit', ('10^6', '2^20'))
FLOPS = Column('gflops', 'operations', 'flops_unit', ('10^9', '2^30'))


class Explanation(NamedTuple):
    """Why a row differs from the paper.

    Attributes:
        text (str): The reason, with ``{params}`` and ``{gflops}`` for what the
            changed network has in the units of the row.
        changes (dict): Arguments of the backbone that is counted for them.
    """

    text: str
    changes: dict[str, Any] = {}


_CBAM = Explanation(
    'the paper has the figures of SE. With the biases of its authors CBAM has more; '
    'without them it has {params} and {gflops}.',
    dict(bias=False),
)
EXPLANATIONS = {
    'cbam_resnet50': _CBAM,
    'cbam_resnet101': _CBAM,
    'a2_resnet50': Explanation(
        'not explained; its authors released no code. The units have half of the '
        'channels, with which both figures are near; with a quarter, as the text of '
        'A2-Nets says, it has {params} and {gflops}.',
        dict(ratio=4),
    ),
    'gsop_resnet50': Explanation(
        'the code of its authors has a block in all four stages. Without that of c2, '
        'as the paper must have, it has {params} and {gflops}.',
        dict(attention_blocks=((), (3,), (5,), (2,))),
    ),
    'aa_resnet50': Explanation(
        "#Param is AA-Net's 25.8 with a zero. FLOPs are half of AA-Net's 8.3, which "
        'counts product and sum; they are not explained, while the same rule gives '
        'those of aa_resnet101.'
    ),
}
NOTES = """\
One image of 224x224; a multiply-add is one operation. unit: the paper counted its own
  rows in 2^20 and 2^30; those in 10^6 and 10^9 it copied from the systems' papers.
FLOPs of its own rows: four operations for each element of a batch norm and one of a
  ReLU are added. Of the copied rows: multiply-adds alone; a2, gc and gsop with stride 2
  in the 1x1 convolution; a2 and gc with the products of two activations, aa and gsop
  without.
ResNet-18 and -34 are not in the paper, but on the authors' poster."""


def count_classifier(name: str, counting: Counting = OWN, **changes: Any) -> Complexity:
    """Counts a classifier for one image, by default as the paper does.

    Args:
        name (str): Name of its config in ``configs/imagenet``.
        counting (Counting): How its operations are counted.
        **changes: Arguments of its backbone that replace the config's.

    Returns:
        Complexity: The counts.
    """
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
    backbone = layer_by_layer(cfg.model.backbone)
    if counting.style != OWN.style:
        backbone.style = counting.style
    backbone.update(changes)
    cost = count_network(ConfigDict(cfg.model, backbone=backbone), counting)
    if 'mobilenet' in name:
        # In the paper the last layer's product and sum count one each.
        last_layer = cfg.model.in_channels * cfg.model.num_classes
        cost = cost._replace(operations=cost.operations + last_layer)
    return cost


def count_network(model: ConfigDict, counting: Counting = OWN) -> Complexity:
    """Counts a classifier for one image, with nothing allocated or computed.

    Args:
        model (ConfigDict): Its config.
        counting (Counting): How its operations are counted.

    Returns:
        Complexity: The counts.
    """
    init_default_scope('mmdet')
    with torch.device('meta'):
        classifier = MODELS.build(model).eval()
        images = torch.empty(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    cost = count(classifier, images, conventions=counting.conventions)
    if counting.products:
        return cost
    return cost._replace(operations=cost.operations - cost.products, products=0)


def classifier_rows(
    rows: Sequence[ClassifierRow] | None = None,
) -> list[dict[str, Any]]:
    """Counts the classifiers of Table 3; shows its progress on stderr.

    Args:
        rows (Sequence[ClassifierRow], optional): Some of its rows; None for all.

    Returns:
        list[dict]: A dict a classifier. ``params`` and ``operations`` are plain
        counts, ``operations`` as the row was counted; ``own_operations`` as the
        paper counted its own rows. ``params_m`` and ``gflops`` are in the units of
        the paper's row, ``params_unit`` (2^20 or 10^6) and ``flops_unit`` (2^30 or
        10^9); beside them are the paper's as ``paper_...``, and the first minus the
        second as ``diff_...``. ``note`` explains a difference above 0.01.
    """
    rows = list(load_classifier_rows() if rows is None else rows)
    counted = [_count_row(row) for row in track_iter_progress(rows, file=sys.stderr)]
    print(file=sys.stderr)  # ends the line of the progress bar
    return counted


def _count_row(row: ClassifierRow) -> dict[str, Any]:
    counting = QUOTED.get(row.name.partition('_')[0], OWN)
    cost = count_classifier(row.name, counting)
    own = cost if counting is OWN else count_classifier(row.name)
    # MobileNetV2's FLOPs are printed in 2^20.
    flops_unit = '2^30' if row.flops_unit == '2^20' else row.flops_unit
    result: dict[str, Any] = dict(
        table=3,
        name=row.name,
        params=cost.parameters,
        operations=cost.operations,
        own_operations=own.operations,
        params_unit=row.params_unit,
        flops_unit=flops_unit,
    )
    for key, counted, printed, unit in (
        ('params_m', cost.parameters, row.parameters, row.params_unit),
        ('gflops', cost.operations, row.operations, flops_unit),
    ):
        result[key] = round(counted / UNITS[unit], 6)
        result[f'paper_{key}'] = round(printed / UNITS[unit], 6)
        result[f'diff_{key}'] = round((counted - printed) / UNITS[unit], 6)
    return dict(result, note=_explain(result, counting))


def _explain(row: dict[str, Any], counting: Counting) -> str | None:
    """The reason of a row's difference, None where there is nothing to explain."""
    if max(abs(row['diff_params_m']), abs(row['diff_gflops'])) <= TOLERANCE:
        return None
    text, changes = EXPLANATIONS[row['name']]
    cost = count_classifier(row['name'], counting, **changes)
    return text.format(
        params=f'{cost.parameters / UNITS[row["params_unit"]]:.2f}',
        gflops=f'{cost.operations / UNITS[row["flops_unit"]]:.2f}',
    )


def classifier_text(rows: list[dict[str, Any]]) -> str:
    """The counted classifiers as a table, and notes on it."""
    in_paper = {row.name: row.in_paper for row in load_classifier_rows()}
    rest = ['paper', 'unit', 'difference']
    cells = [['Table 3', '#Param 10^6', '2^20', *rest, 'FLOPs 10^9', '2^30', *rest]]
    for row in rows:
        decimals = 2 if in_paper[row['name']] else 3  # the poster has 3
        of_flops = 4 if 'mobilenet' in row['name'] else decimals
        cells.append(
            [row['name'], *_cells(row, PARAMS, decimals), *_cells(row, FLOPS, of_flops)]
        )
    lines = [f'{row["name"]}: {row["note"]}' for row in rows if row['note']]
    own = ', '.join(
        f'{row["name"]} {row["own_operations"] / 2**30:.2f}'
        for row in rows
        if row['operations'] != row['own_operations']
    )
    if own:
        lines.append(f'FLOPs of the copied rows, counted as its own, in 2^30: {own}.')
    wrapped = [textwrap.fill(line, 88, subsequent_indent='  ') for line in lines]
    return '\n'.join([text_table(cells), *wrapped, NOTES])


def _cells(row: dict[str, Any], column: Column, decimals: int) -> list[str]:
    """A count in both units, the paper's, its unit, and the difference in it."""
    key = column.key
    return [
        *(f'{row[column.counts] / UNITS[unit]:.{decimals}f}' for unit in column.units),
        f'{row[f"paper_{key}"]:.{decimals}f}',
        row[column.unit],
        f'{row[f"diff_{key}"]:+.{decimals}f}',
    ]
