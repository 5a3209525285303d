"""Table 4: the other networks that ECA-Net is compared with."""

import textwrap
from typing import Any

from mmdet.models.backbones import ResNet
from mmdet.models.backbones.resnet import Bottleneck
from mmengine.config import Config, ConfigDict

from ..engine import config_path
from ..visualization import text_table
from .classifiers import TOLERANCE, count_classifier, count_network
from .complexity import Complexity
from .paper_rows import NetworkRow, load_network_rows


class _ResNet200(ResNet):
    arch_settings = {200: (Bottleneck, (3, 24, 36, 3))}


_RESNEXT = dict(type='AttentionResNeXt', depth=101, groups=32, base_width=4)
# What can be counted here of the other networks: its name and its backbone.
BACKBONES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    'ResNet-200': [('ResNet-200', dict(type=_ResNet200, depth=200))],
    'ResNeXt-101': [
        ('ResNeXt-101 32x4d', _RESNEXT),
        (
            'SE-ResNeXt-101 32x4d',
            dict(_RESNEXT, attention=dict(type='SqueezeExcitation')),
        ),
    ],
}
# Parameters of networks that are not in this package, and how they are known.
KNOWN = {
    'Inception-v3': ('Inception-v3, auxiliary head', 'torchvision', 27_161_264),
    'DenseNet-264 (k=32)': ('DenseNet-264', 'its layers', 33_337_704),
    'DenseNet-161 (k=48)': ('DenseNet-161', 'its layers', 28_681_000),
}
NOTES = """\
In 2^20 and 2^30, at 224x224, counted as the paper's own rows of Table 3. by: 'here' is
  counted with this package; the others are not in it, and known are their parameters
  alone, by the shapes of their layers or as torchvision has them.
The paper says that it copied the figures from the networks' papers. But both counts of
  ResNeXt-101 are those of the network with SE (without biases), counted as its own.
The accuracies in ResNeXt's and DenseNet-264's papers are recalled, not read again."""


def network_rows() -> list[dict[str, Any]]:
    """The networks of Table 4, counted as far as they can be.

    Returns:
        list[dict]: A dict for every network that a row may mean, ``counted``, with
        how it was counted, ``counted_by``: 'here', or else its parameters alone.
        ``params`` and ``operations`` are its plain counts, as the paper counted its
        own rows of Table 3; ``params_m`` and ``gflops`` are in 2^20 and 2^30, the
        paper's are ``paper_...``, and the first minus the second ``diff_...``; None
        where it is not known. ``agrees`` says whether all that is known is within
        0.01 of the paper, ``top1``, ``top5`` and ``note`` are the paper's row.
    """
    return [
        _compare(row, *candidate)
        for row in load_network_rows()
        for candidate in _candidates(row)
    ]


def _candidates(row: NetworkRow) -> list[tuple[str, str, Complexity]]:
    """The networks that a row may mean, how they were counted, and their counts."""
    if row.name is not None:
        return [(row.name, 'here', count_classifier(row.name))]
    if row.model in KNOWN:
        name, counted_by, parameters = KNOWN[row.model]
        return [(name, counted_by, Complexity(parameters, parameters, 0, 0))]
    model = Config.fromfile(config_path('imagenet/resnet50.py')).model
    return [
        (name, 'here', count_network(ConfigDict(model, backbone=dict(backbone))))
        for name, backbone in BACKBONES[row.model]
    ]


def _compare(
    row: NetworkRow, counted: str, counted_by: str, cost: Complexity
) -> dict[str, Any]:
    operations = cost.operations or None
    result: dict[str, Any] = dict(
        table=4,
        name=row.model,
        counted=counted,
        counted_by=counted_by,
        params=cost.parameters,
        operations=operations,
    )
    for key, count, unit, printed in (
        ('params_m', cost.parameters, 2**20, row.params),
        ('gflops', operations, 2**30, row.flops),
    ):
        value = None if count is None else round(count / unit, 6)
        result[key] = value
        result[f'paper_{key}'] = printed
        result[f'diff_{key}'] = None if value is None else round(value - printed, 6)
    differences = (result['diff_params_m'], result['diff_gflops'])
    agrees = all(abs(value) <= TOLERANCE for value in differences if value is not None)
    return dict(result, agrees=agrees, top1=row.top1, top5=row.top5, note=row.note)


def network_text(rows: list[dict[str, Any]]) -> str:
    """The networks as a table, and what was found about their figures."""
    header = ['#Param', 'paper', 'difference', 'FLOPs', 'paper', 'difference']
    cells = [['Table 4', 'counted', 'by', *header, 'equal', 'top-1', 'top-5']]
    for row in rows:
        cells.append([row['name'], row['counted'], row['counted_by']])
        for key in ('params_m', 'gflops'):
            cells[-1] += [
                _format(row[key]),
                _format(row[f'paper_{key}']),
                _format(row[f'diff_{key}'], '+'),
            ]
        cells[-1] += ['yes' if row['agrees'] else 'no']
        cells[-1] += [_format(row['top1']), _format(row['top5'])]
    notes = {row['name']: row['note'] for row in rows if row['note']}
    lines = [
        textwrap.fill(f'{name}: {note}.', 88, subsequent_indent='  ')
        for name, note in notes.items()
    ]
    return '\n'.join([text_table(cells, left_columns=3), *lines, NOTES])


def _format(value: float | None, sign: str = '') -> str:
    return '-' if value is None else f'{value:{sign}.2f}'
