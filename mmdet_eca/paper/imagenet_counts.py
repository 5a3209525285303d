"""Tables 1 to 4 and Figure 4: what the attention and the classifiers cost."""

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from mmdet.models.backbones import ResNet
from mmdet.models.backbones.resnet import Bottleneck
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn
from tqdm import tqdm

from ..config_paths import config_path
from ..models.attention import AttentionLayer, ECANonShared, SEVar2
from ..visualization import text_table
from .counting import (
    POOLING,
    Complexity,
    Conventions,
    beside_paper,
    count,
    layer_by_layer,
    per_output,
)
from .paper_rows import (
    UNITS,
    ClassifierRow,
    imagenet_rows,
    load_classifier_rows,
    tick_rows,
)

Rows = list[dict[str, Any]]
IMAGE_SIZE = 224
# Differences from the paper beyond this many 10^6 or 2^20 parameters, and 10^9 or
# 2^30 operations, are explained.
TOLERANCE = 0.01


class Counting(NamedTuple):
    """The way in which the operations of a row were counted.

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
# The conventions of the papers that it copied from, by the first word of a row's name,
# found by their figures too: multiply-adds alone.
QUOTED = {
    'a2': Counting(style='caffe'),
    'aa': Counting(products=False),
    'gc': Counting(style='caffe'),
    'gsop': Counting(style='caffe', products=False),
}
# Why a row of Table 3 differs from the paper, with {params} and {gflops} for what the
# network has, in the units of the row, with these changes of its backbone's arguments.
_CBAM: dict[str, Any] = dict(
    why='the paper has the figures of SE. With the biases of its authors CBAM has '
    'more; without them it has {params} and {gflops}.',
    bias=False,
)
EXPLANATIONS: dict[str, dict[str, Any]] = {
    'cbam_resnet50': _CBAM,
    'cbam_resnet101': _CBAM,
    'a2_resnet50': dict(
        why='not explained; its authors released no code. The units have half of the '
        'channels, with which both figures are near; with a quarter, as the text of '
        'A2-Nets says, it has {params} and {gflops}.',
        ratio=4,
    ),
    'gsop_resnet50': dict(
        why='the code of its authors has a block in all four stages. Without that of '
        'c2, as the paper must have, it has {params} and {gflops}.',
        attention_blocks=((), (3,), (5,), (2,)),
    ),
    'aa_resnet50': dict(
        why="#Param is AA-Net's 25.8 with a zero. FLOPs are half of AA-Net's 8.3, "
        'which counts product and sum; they are not explained, while the same rule '
        'gives those of aa_resnet101.'
    ),
}
TICKS = ('no_reduction', 'cross_channel', 'lightweight')
# Of the printed tables: heading, key and format of a column.
TICK_COLUMNS = (
    ('Table 1', 'model', ''),
    ('no reduction', 'paper_no_reduction', ''),
    ('cross-channel', 'paper_cross_channel', ''),
    ('lightweight', 'lightweight', ''),
    ('weights', 'weights', ','),
)
NETWORK_COLUMNS = (
    ('Table 4', 'name', ''),
    ('counted', 'counted', ''),
    ('by', 'counted_by', ''),
    ('#Param', 'params_m', '.2f'),
    ('paper', 'paper_params_m', '.2f'),
    ('difference', 'diff_params_m', '+.2f'),
    ('FLOPs', 'gflops', '.2f'),
    ('paper', 'paper_gflops', '.2f'),
    ('difference', 'diff_gflops', '+.2f'),
    ('equal', 'agrees', ''),
    ('top-1', 'top1', '.2f'),
    ('top-5', 'top5', '.2f'),
)
KERNEL_SIZE_COLUMNS = (
    ('Figure 4', 'name', ''),
    ('k', 'kernel_size', ''),
    ('weights', 'weights', ','),
    ('#Param', 'params_m', '.2f'),
    ('FLOPs', 'gflops', '.2f'),
    ("paper's top-1", 'paper_top1', '.2f'),
)


class _ResNet200(ResNet):
    arch_settings = {200: (Bottleneck, (3, 24, 36, 3))}


_RESNEXT = dict(type='AttentionResNeXt', depth=101, groups=32, base_width=4)
_SE_RESNEXT = dict(_RESNEXT, attention=dict(type='SqueezeExcitation'))
# The networks that a row of Table 4 may mean: the name, and the backbone if it can be
# counted here, else the source of the number of parameters and the number.
OTHER_NETWORKS: dict[str, list[tuple]] = {
    'ResNet-200': [('ResNet-200', dict(type=_ResNet200, depth=200))],
    'ResNeXt-101': [
        ('ResNeXt-101 32x4d', _RESNEXT),
        ('SE-ResNeXt-101 32x4d', _SE_RESNEXT),
    ],
    'Inception-v3': [('Inception-v3, auxiliary head', 'torchvision', 27_161_264)],
    'DenseNet-264 (k=32)': [('DenseNet-264', 'its layers', 33_337_704)],
    'DenseNet-161 (k=48)': [('DenseNet-161', 'its layers', 28_681_000)],
}
NOTES = {
    1: """\
weights: of the attention in a ResNet-50; lightweight: fewer than SENet's. The other
  two ticks are the paper's; tests/paper/test_ticks.py finds them in the layers, by
  their widths and their Jacobians.
GSoP-Net has a block in all four stages, as in the code of its authors. With the three
  of Table 3 (28.05 x 10^6 parameters) it has 2,497,408 weights, fewer than SENet.""",
    3: """\
One image of 224x224; a multiply-add is one operation. unit: the paper counted its own
  rows in 2^20 and 2^30; those in 10^6 and 10^9 it copied from the systems' papers.
FLOPs of its own rows: four operations for each element of a batch norm and one of a
  ReLU are added. Of the copied rows: multiply-adds alone; a2, gc and gsop with stride 2
  in the 1x1 convolution; a2 and gc with the products of two activations, aa and gsop
  without.
ResNet-18 and -34 are not in the paper, but on the authors' poster.""",
    4: """\
In 2^20 and 2^30, at 224x224, counted as the paper's own rows of Table 3. by: 'here' is
  counted with this package; the others are not in it, and known are their parameters
  alone, by the shapes of their layers or as torchvision has them.
The paper says that it copied the figures from the networks' papers. But both counts of
  ResNeXt-101 are those of the network with SE (without biases), counted as its own.
The accuracies in ResNeXt's and DenseNet-264's papers are recalled, not read again.""",
    'figure 4': """\
weights: of the attention; k: of every stage, the adaptive one as the authors' weights.
#Param in 2^20 and FLOPs in 2^30, counted as the paper's own rows of Table 3.""",
}


def count_classifier(
    name: str, counting: Counting | None = None, **changes: Any
) -> Complexity:
    """Counts a classifier for one image.

    Args:
        name (str): Name of its config in ``configs/imagenet``.
        counting (Counting, optional): How its operations are counted, by default as
            for its row of Table 3.
        **changes: Arguments of its backbone that replace the config's.
    """
    counting = counting or QUOTED.get(name.partition('_')[0], OWN)
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
    """Counts a classifier, given its config, for one image; nothing is computed."""
    init_default_scope('mmdet')
    with torch.device('meta'):
        classifier = MODELS.build(model).eval()
        images = torch.empty(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    cost = count(classifier, images, conventions=counting.conventions)
    if counting.products:
        return cost
    return cost._replace(operations=cost.operations - cost.products, products=0)


@cache
def _parameters(name: str) -> int:
    return count_classifier(name, OWN).parameters


def tick_table_rows() -> Rows:
    """Returns the systems of Table 1 with their ticks and weights.

    Returns:
        list[dict]: A dict a system: the paper's ticks ``paper_no_reduction``,
        ``paper_cross_channel`` and ``paper_lightweight``; ``weights``, the number of
        weights that the attention adds to ResNet-50, and ``lightweight``, whether they
        are fewer than SENet's, None for SENet.
    """
    rows: Rows = []
    for row in tqdm(tick_rows()):
        weights = _parameters(row['name']) - _parameters('resnet50')
        result = dict(table=1, name=row['name'], model=row['model'], weights=weights)
        result['lightweight'] = weights < rows[0]['weights'] if rows else None
        rows.append(result | {f'paper_{key}': row[key] for key in TICKS})
    return rows


def _table(
    rows: Rows,
    columns: Sequence[tuple[str, str, str]],
    title: str | None = None,
    left: int = 1,
) -> str:
    """Formats a table; a column is its heading, its key and its format."""
    cells = [[heading for heading, _, _ in columns]]
    cells += [[_cell(row[key], form) for _, key, form in columns] for row in rows]
    return text_table(cells, title, left_columns=left)


def _cell(value: Any, form: str) -> str:
    if value is None or isinstance(value, bool):
        return {True: 'yes', False: 'no', None: '-'}[value]
    return f'{value:{form}}'


def stage_layers(name: str) -> list[tuple[AttentionLayer, int]]:
    """Builds the attention of a classifier's stages, on torch's meta device.

    Args:
        name (str): Name of its config in ``configs/imagenet``, of a ResNet with
            attention in every block.

    Returns:
        list[tuple]: The layer of the first block of every stage, and the number of
        the stage's blocks.
    """
    init_default_scope('mmdet')
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
    stages = [getattr(backbone, stage) for stage in backbone.res_layers]
    return [(stage[0].attention, len(stage)) for stage in stages]


def count_layer(layer: AttentionLayer) -> Complexity:
    """Counts a layer's weights, and the multiply-adds of its gate for one image.

    The mean of each channel and the rescaling are the same for all members and are
    not counted.
    """
    x = torch.empty(1, layer.in_channels, 7, 7, device='meta')
    # These multiply element by element, each weight once, which torch's counter does
    # not see.
    elementwise = (
        (SEVar2, ECANonShared),
        lambda layer, x, output: layer.weight.numel(),
    )
    return count(layer, x, conventions=(elementwise,))


def attention_layer_rows() -> Rows:
    """Counts the members of the attention family in Table 2.

    Returns:
        list[dict]: A dict a member. ``params`` and ``operations`` are those of a
        layer at each of ``channels``, ``resnet50_params`` and
        ``resnet50_operations`` those of all layers in a ResNet-50.
    """
    rows = []
    for member in imagenet_rows([2])[1:]:  # the first has no attention
        layers, blocks = zip(*stage_layers(member.name))
        costs = [count_layer(layer) for layer in layers]
        row: dict[str, Any] = dict(
            table=2,
            name=member.method,
            config=member.name,
            layer=type(layers[0]).__name__,
            channels=[layer.in_channels for layer in layers],
            params=[cost.parameters for cost in costs],
            operations=[cost.operations for cost in costs],
        )
        for key in ('params', 'operations'):
            row[f'resnet50_{key}'] = sum(n * c for n, c in zip(blocks, row[key]))
        rows.append(row | {f'paper_{k}': v for k, v in member.paper().items()})
    return rows


def _attention_layer_text(rows: Rows) -> str:
    tables = []
    for title, key in (
        ('Table 2: weights of a layer', 'params'),
        ('multiply-adds of a gate', 'operations'),
    ):
        stages = [(f'C = {c}', str(c), ',') for c in rows[0]['channels']]
        columns = [('', 'name', ''), *stages, ('ResNet-50', f'resnet50_{key}', ',')]
        flat = [row | dict(zip(map(str, row['channels']), row[key])) for row in rows]
        tables.append(_table(flat, columns, title))
    columns = [('the paper', 'name', ''), ('layer', 'layer', '')]
    columns += [('weights', 'paper_weights', ''), ('top-1', 'paper_top1', '.2f')]
    columns += [('top-5', 'paper_top5', '.2f')]
    plain = imagenet_rows([2])[0]
    without = (
        'ResNet-50 on ImageNet; without attention '
        f'{plain.top1:.2f} / {plain.top5:.2f} ({plain.note})'
    )
    return '\n'.join([*tables, _table(rows, columns, left=3), without])


def classifier_rows(rows: Sequence[ClassifierRow] | None = None) -> Rows:
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
    return [_count_row(row) for row in tqdm(rows or load_classifier_rows())]


def _count_row(row: ClassifierRow) -> dict[str, Any]:
    cost = count_classifier(row.name)
    # MobileNetV2's FLOPs are printed in 2^20.
    flops_unit = '2^30' if row.flops_unit == '2^20' else row.flops_unit
    mega, giga = UNITS[row.params_unit], UNITS[flops_unit]
    result: dict[str, Any] = dict(
        table=3,
        name=row.name,
        params=cost.parameters,
        operations=cost.operations,
        own_operations=count_classifier(row.name, OWN).operations,
        params_unit=row.params_unit,
        flops_unit=flops_unit,
        **beside_paper('params_m', cost.parameters / mega, row.parameters / mega),
        **beside_paper('gflops', cost.operations / giga, row.operations / giga),
    )
    note = None
    if max(abs(result['diff_params_m']), abs(result['diff_gflops'])) > TOLERANCE:
        changes = dict(EXPLANATIONS[row.name])
        why = changes.pop('why')
        cost = count_classifier(row.name, **changes)
        params, flops = cost.parameters / mega, cost.operations / giga
        note = why.format(params=f'{params:.2f}', gflops=f'{flops:.2f}')
    return dict(result, note=note)


def _classifier_text(rows: Rows) -> str:
    in_paper = {row.name: row.in_paper for row in load_classifier_rows()}
    rest = ['paper', 'unit', 'difference']
    cells = [['Table 3', '#Param 10^6', '2^20', *rest, 'FLOPs 10^9', '2^30', *rest]]
    for row in rows:
        decimals = 2 if in_paper[row['name']] else 3  # the poster has 3
        cells.append([row['name']])
        for key, counted, unit, units, form in (
            ('params_m', 'params', 'params_unit', ('10^6', '2^20'), f'.{decimals}f'),
            (
                *('gflops', 'operations', 'flops_unit', ('10^9', '2^30')),
                '.4f' if 'mobilenet' in row['name'] else f'.{decimals}f',
            ),
        ):
            cells[-1] += [
                *(f'{row[counted] / UNITS[name]:{form}}' for name in units),
                f'{row[f"paper_{key}"]:{form}}',
                row[unit],
                f'{row[f"diff_{key}"]:+{form}}',
            ]
    lines = [f'{row["name"]}: {row["note"]}' for row in rows if row['note']]
    own = ', '.join(
        f'{row["name"]} {row["own_operations"] / 2**30:.2f}'
        for row in rows
        if row['operations'] != row['own_operations']
    )
    if own:
        lines.append(f'FLOPs of the copied rows, counted as its own, in 2^30: {own}.')
    return '\n'.join([text_table(cells), *map(_wrapped, lines)])


def _wrapped(line: str) -> str:
    return textwrap.fill(line, 88, subsequent_indent='  ')


def network_rows() -> Rows:
    """Counts the networks of Table 4, as far as they can be counted.

    Returns:
        list[dict]: A dict for every network that a row may mean, ``counted``, with
        how it was counted, ``counted_by``: 'here', or else its parameters alone.
        ``params`` and ``operations`` are its plain counts, as the paper counted its
        own rows of Table 3; ``params_m`` and ``gflops`` are in 2^20 and 2^30, the
        paper's are ``paper_...``, and the first minus the second ``diff_...``; None
        where it is not known. ``agrees`` says whether all that is known is within
        0.01 of the paper, ``top1``, ``top5`` and ``note`` are the paper's row.
    """
    rows = []
    for row in imagenet_rows([4]):
        for name, counted_by, params, operations in _networks(row):
            gflops = None if operations is None else operations / 2**30
            result: dict[str, Any] = dict(
                table=4,
                name=row.method,
                counted=name,
                counted_by=counted_by,
                params=params,
                operations=operations,
                **beside_paper('params_m', params / 2**20, row.params or 0),
                **beside_paper('gflops', gflops, row.flops or 0),
            )
            differences = (result['diff_params_m'], result['diff_gflops'] or 0)
            agrees = all(abs(value) <= TOLERANCE for value in differences)
            accuracy = dict(top1=row.top1, top5=row.top5, note=row.note)
            rows.append(dict(result, agrees=agrees, **accuracy))
    return rows


def _networks(row: ClassifierRow) -> list[tuple[str, str, int, int | None]]:
    """Returns name, way of counting, parameters and operations of each candidate."""
    model = Config.fromfile(config_path('imagenet/resnet50.py')).model
    found: list[tuple[str, str, int, int | None]] = []
    for name, *known in OTHER_NETWORKS.get(row.method, [(row.name, row.name)]):
        if len(known) == 2:
            found.append((name, *known, None))
            continue
        (network,) = known
        if isinstance(network, str):
            cost = count_classifier(network)
        else:
            cost = count_network(ConfigDict(model, backbone=dict(network)))
        found.append((name, 'here', cost.parameters, cost.operations))
    return found


def _network_text(rows: Rows) -> str:
    table = _table(rows, NETWORK_COLUMNS, left=3)
    notes = {row['name']: row['note'] for row in rows if row['note']}
    lines = [_wrapped(f'{name}: {note}.') for name, note in notes.items()]
    return '\n'.join([table, *lines])


def kernel_size_rows() -> Rows:
    """Counts the networks of Figure 4; shows its progress on stderr.

    Returns:
        list[dict]: A dict a point: its ``depth``, ``kernel_size`` ('adaptive' for
        the formula's, None for SENet), the ``weights`` of its attention, ``params``
        and ``operations`` as plain counts, ``params_m`` and ``gflops`` in 2^20 and
        2^30, and ``paper_top1``.
    """
    rows = []
    for point in tqdm(imagenet_rows(figures=[4])):
        depth = int(str(point.backbone).removeprefix('ResNet-'))
        cost = count_classifier(point.name)
        rows.append(
            dict(
                figure=4,
                name=point.name,
                depth=depth,
                kernel_size=point.kernel_size,
                weights=cost.parameters - _parameters(f'resnet{depth}'),
                params=cost.parameters,
                operations=cost.operations,
                params_m=round(cost.parameters / 2**20, 6),
                gflops=round(cost.operations / 2**30, 6),
                paper_top1=point.top1,
            )
        )
    return rows


def imagenet_text(rows: Rows) -> list[str]:
    """Formats the counted rows of each table as a table to read, with notes."""
    parts = []
    for place, form in (
        (1, lambda rows: _table(rows, TICK_COLUMNS, left=4)),
        (2, _attention_layer_text),
        (3, _classifier_text),
        (4, _network_text),
        ('figure 4', lambda rows: _table(rows, KERNEL_SIZE_COLUMNS)),
    ):
        found = [row for row in rows if row.get('table', 'figure 4') == place]
        if found:
            parts += [form(found), *([NOTES[place]] if place in NOTES else [])]
    return parts
