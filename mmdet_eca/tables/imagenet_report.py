"""The report's tables of ImageNet runs."""

from collections.abc import Sequence
from typing import Any

from ..visualization import markdown_table
from .cells import cell

TITLES = {
    (1, None): 'Table 1: what each attention is like',
    (2, None): 'Table 2: members of the attention family in ResNet-50',
    (3, None): 'Table 3: classifiers, and from the poster ResNet-18 and -34',
    (4, None): 'Table 4: other networks',
    (None, 1): 'Figure 1: accuracy, parameters and FLOPs',
    (None, 4): "Figure 4: ECA's kernel size",
    (None, None): 'Not in the paper: other classifiers, on their own data',
}
PICTURES = {1: 'figure1.png', 4: 'figure4.png'}
NOTES = (
    'Measured with this code after the last epoch (in brackets: the paper), one crop '
    'of the validation images, percent. "?" marks what was read off a picture of the '
    'figure, +-0.01. The gain is over the plain network by the same code. #Param and '
    'FLOPs are in the units beside them, of which the paper mixes two in a column; '
    "images/s are in training, the paper's on four RTX 2080 Ti.\n"
)
# Table 1 and the figures do without: heading, key and format of a cell.
COLUMNS = {
    'weights': ('paper_weights', 's'),
    '#Param': ('params', '.2f'),
    'FLOPs': ('flops', '.2f'),
    'images/s': ('train_fps', '.0f'),
    'top-1': ('top1', '.2f'),
    'top-5': ('top5', '.2f'),
    'gain': ('gain_top1', '+.2f'),
}


def imagenet_parts(results: Sequence[dict[str, Any]]) -> list[str]:
    """The sections of the report, in Markdown.

    Args:
        results (Sequence[dict]): What :func:`collect_imagenet` gives.

    Returns:
        list[str]: A heading or a table each.
    """
    parts = ['# ImageNet\n', NOTES]
    for place, title in TITLES.items():
        rows = [row for row in results if (row['table'], row['figure']) == place]
        if not rows:
            continue
        parts.append(f'## {title}\n')
        if place[1] in PICTURES:
            parts.append(f'![{title}]({PICTURES[place[1]]})\n')
        if place == (1, None):
            parts.append(_ticks(rows))
        elif place == (None, 4):
            parts.append(_kernel_sizes(rows))
        elif place == (None, 1):
            parts.append('The rows are in Table 3.\n')
        else:
            parts.append(_accuracies(rows))
        if place != (None, 1):
            parts += _notes(rows)
    return parts


def _ticks(rows: list[dict[str, Any]]) -> str:
    words = {True: 'yes', False: 'no', None: '-'}
    keys = ('no_reduction', 'cross_channel', 'lightweight')
    cells = [['', 'no reduction', 'cross-channel interaction', 'lightweight']]
    for row in rows:
        ticks = [f'{words[row[key]]} ({words[row[f"paper_{key}"]]})' for key in keys]
        cells.append([row['model'], *ticks])
    return markdown_table(cells) + '\n'


def _kernel_sizes(rows: list[dict[str, Any]]) -> str:
    sizes = list(dict.fromkeys(row['kernel_size'] for row in rows))
    titles = ['SENet' if size is None else f'k = {size}' for size in sizes]
    cells = [['top-1', *titles]]
    for backbone in dict.fromkeys(row['backbone'] for row in rows):
        of_size = {
            row['kernel_size']: row for row in rows if row['backbone'] == backbone
        }
        figures = [cell(of_size[size], 'top1', '.2f') for size in sizes]
        cells.append([backbone, *figures])
    return markdown_table(cells) + '\n'


def _accuracies(rows: list[dict[str, Any]]) -> str:
    columns = [
        title
        for title, (key, _) in COLUMNS.items()
        if any(_has(row, key) for row in rows)
    ]
    backbones = any(row.get('backbone') for row in rows)
    cells = [['', *(['backbone'] if backbones else []), *columns, 'runs']]
    for row in rows:
        spread = '' if row['std_top1'] is None else f' ±{row["std_top1"]:.2f}'
        line = [row.get('method') or row['name']]
        if backbones:
            line.append(row['backbone'])
        for title in columns:
            key, form = COLUMNS[title]
            text = cell(row, key, form, spread if key == 'top1' else '')
            unit = row.get(f'{key}_unit')
            line.append(f'{text} {unit}' if unit else text)
        cells.append([*line, str(len(row['runs']))])
    return markdown_table(cells, left_columns=1 + backbones) + '\n'


def _has(row: dict[str, Any], key: str) -> bool:
    return row.get(key) is not None or row.get(f'paper_{key}') is not None


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    """What does not fit in the paper's figures: a list, or nothing."""
    lines = []
    for row in rows:
        if row.get('note'):
            backbone = f', {row["backbone"]}' if row.get('backbone') else ''
            lines.append(f'- {row["method"]}{backbone}: {row["note"]}\n')
    return [''.join(lines)] if lines else []
