"""Counts the rows of the paper's tables, and prints them beside the paper."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..visualization import text_table
from .attention_counts import attention_layer_rows, kernel_size_rows, tick_table_rows
from .classifier_counts import classifier_rows, network_rows
from .detector_counts import detector_rows
from .paper_rows import DETECTOR_TABLES, UNITS, chosen, paper_rows
from .tables import Cell, Rows, cells, value

COUNTED: dict[int, Callable[[], Rows]] = {
    1: tick_table_rows,
    2: attention_layer_rows,
    3: classifier_rows,
    4: network_rows,
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
    5: """\
Input 1280x800; G = 1e9 multiply-adds; M = 1e6 parameters.
Counted are the parameters that train (stem and first stage are frozen); for gc
and nl all of them, as in GCNet's table, from which the paper took these rows.
GFLOPs of gc and nl: the paper's come from another recipe. Here the matrix
products inside the blocks are counted: those of nl alone, 16.4 G, are more than
nl adds in the paper.
se: without biases, as in the paper. The configs have them, since MMPretrain's
weights do.
Mask R-CNN: MMDetection 1.x had one class more, the background.
Table 6 repeats Table 5's Mask R-CNNs.""",
    'figure 4': """\
weights: of the attention; k: of every stage, the adaptive one as the authors' weights.
#Param in 2^20 and FLOPs in 2^30, counted as the paper's own rows of Table 3.""",
}


def complexity_rows(
    tables: Sequence[int] | None = None, figures: Sequence[int] | None = None
) -> Rows:
    """Counts the rows of the paper's tables; shows its progress on stderr.

    Args:
        tables (Sequence[int], optional): Numbers of tables: 1 (the systems' ticks and
            weights), 2 (attention layers), 3 (classifiers), 4 (other networks), 5 and
            6 (detectors). Without tables and figures 5 and 6.
        figures (Sequence[int], optional): Numbers of figures: 1, the rows of Table 3
            that it shows, and 4 (kernel sizes).

    Returns:
        list[dict]: A dict a row, with its ``table`` or ``figure``.
    """
    tables, figures = chosen(tables, figures)
    rows: Rows = []
    for table, count_rows in COUNTED.items():
        rows += count_rows() if table in tables else []
    if 1 in figures and 3 not in tables:
        rows += classifier_rows(paper_rows(figures=[1]))
    if detectors := [table for table in DETECTOR_TABLES if table in tables]:
        rows += detector_rows(detectors)
    return rows + (kernel_size_rows() if 4 in figures else [])


def complexity_text(rows: Rows) -> str:
    """Formats the counted rows of each table as a table to read, with notes."""
    parts: list[str] = []
    for place, form in FORMS.items():
        found = [row for row in rows if _place(row) == place]
        if found:
            parts += [form(found), *([NOTES[place]] if place in NOTES else [])]
    return '\n'.join(parts)


def _table(
    *columns: tuple[str, Cell], left: int = 1, title: str | None = None
) -> Callable[[Rows], str]:
    """Returns the function that formats rows as a table with these columns."""
    return lambda rows: text_table(cells(rows, columns), title, left_columns=left)


def _beside_paper(heading: str, key: str) -> list[tuple[str, Cell]]:
    """Returns the columns of a count, of the paper's and of the difference."""
    return [
        (heading, value(key, '.2f')),
        ('paper', value(f'paper_{key}', '.2f')),
        ('difference', value(f'diff_{key}', '+.2f')),
    ]


def _attention_layers(rows: Rows) -> str:
    tables = []
    for title, key in (
        ('Table 2: weights of a layer', 'params'),
        ('multiply-adds of a gate', 'operations'),
    ):
        channels = [str(c) for c in rows[0]['channels']]
        flat = [row | dict(zip(channels, row[key])) for row in rows]
        stages = [(f'C = {c}', value(c, ',')) for c in channels]
        total = ('ResNet-50', value(f'resnet50_{key}', ','))
        tables.append(_table(('', value('name')), *stages, total, title=title)(flat))
    paper = _table(
        ('the paper', value('name')),
        ('layer', value('layer')),
        ('weights', value('paper_weights')),
        ('top-1', value('paper_top1', '.2f')),
        ('top-5', value('paper_top5', '.2f')),
        left=3,
    )
    plain = paper_rows([2])[0]
    top1, top5 = plain.paper['top1'], plain.paper['top5']
    without = f'without attention {top1:.2f} / {top5:.2f} ({plain.note})'
    return '\n'.join([*tables, paper(rows), f'ResNet-50 on ImageNet; {without}'])


def _classifiers(rows: Rows) -> str:
    on_poster = {row.name for row in paper_rows([3]) if row.sources == ['poster']}

    def number(key: str, unit: str = '', sign: str = '') -> Cell:
        def show(row: Mapping[str, Any]) -> str:
            decimals = 3 if row['name'] in on_poster else 2
            if 'mobilenet' in row['name'] and not key.endswith(('params', 'params_m')):
                decimals = 4  # its FLOPs are in 2^20 in the paper
            return f'{row[key] / UNITS.get(unit, 1):{sign}.{decimals}f}'

        return show

    columns: list[tuple[str, Cell]] = [('Table 3', value('name'))]
    for heading, counted, key, unit, (decimal, binary) in (
        ('#Param', 'params', 'params_m', 'params_unit', ('10^6', '2^20')),
        ('FLOPs', 'operations', 'gflops', 'flops_unit', ('10^9', '2^30')),
    ):
        columns += [
            (f'{heading} {decimal}', number(counted, decimal)),
            (binary, number(counted, binary)),
            ('paper', number(f'paper_{key}')),
            ('unit', value(unit)),
            ('difference', number(f'diff_{key}', sign='+')),
        ]
    lines = [f'{row["name"]}: {row["note"]}' for row in rows if row['note']]
    own = ', '.join(
        f'{row["name"]} {row["own_operations"] / 2**30:.2f}'
        for row in rows
        if row['operations'] != row['own_operations']
    )
    if own:
        lines.append(f'FLOPs of the copied rows, counted as its own, in 2^30: {own}.')
    return '\n'.join([_table(*columns)(rows), *map(_wrapped, lines)])


def _networks(rows: Rows) -> str:
    table = _table(
        ('Table 4', value('name')),
        ('counted', value('counted')),
        ('by', value('counted_by')),
        *_beside_paper('#Param', 'params_m'),
        *_beside_paper('FLOPs', 'gflops'),
        ('equal', value('agrees')),
        ('top-1', value('top1', '.2f')),
        ('top-5', value('top5', '.2f')),
        left=3,
    )
    notes = {row['name']: row['note'] for row in rows if row['note']}
    lines = [_wrapped(f'{name}: {note}.') for name, note in notes.items()]
    return '\n'.join([table(rows), *lines])


def _place(row: Mapping[str, Any]) -> int | str:
    """Returns where a row is printed: with a table, or Figure 4."""
    table = row.get('table', 'figure 4')
    return 5 if table == 6 else table


def _wrapped(line: str) -> str:
    return textwrap.fill(line, 88, subsequent_indent='  ')


def _detectors(rows: Rows) -> str:
    """Formats detectors, each once: Table 6 repeats those of Table 5."""
    tables: dict[str, list[str]] = {}
    for printed in paper_rows(DETECTOR_TABLES):
        tables.setdefault(printed.name, []).append(str(printed.table))
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row['name'], row)
    table = _table(
        ('row', value('name')),
        ('table', lambda row: ', '.join(tables[row['name']])),
        *_beside_paper('#Param (M)', 'params_m'),
        *_beside_paper('GFLOPs', 'gflops'),
        left=2,
    )
    return table(list(first.values()))


# How the rows of each table are printed, in this order.
FORMS: dict[Any, Callable[[Rows], str]] = {
    1: _table(
        ('Table 1', value('model')),
        ('no reduction', value('paper_no_reduction')),
        ('cross-channel', value('paper_cross_channel')),
        ('lightweight', value('lightweight')),
        ('weights', value('weights', ',')),
        left=4,
    ),
    2: _attention_layers,
    3: _classifiers,
    4: _networks,
    'figure 4': _table(
        ('Figure 4', value('name')),
        ('k', value('kernel_size')),
        ('weights', value('weights', ',')),
        ('#Param', value('params_m', '.2f')),
        ('FLOPs', value('gflops', '.2f')),
        ("paper's top-1", value('paper_top1', '.2f')),
    ),
    5: _detectors,
}
