"""The picture of rows with several seeds: every run, and the differences."""

import math
from typing import Any

from ..visualization import figure
from .tables import Rows

# The column that a task is judged by.
FIRST = {'box': 'AP', 'mask': 'AP', 'accuracy': 'top-1'}


def draw_seeds(rows: Rows, out_file: str) -> None:
    """Draws every group: on the left the runs, on the right the differences.

    A line joins the runs of a seed. The bars are the 95 % confidence intervals of
    the difference to plain.

    Args:
        rows (list[dict]): The rows of :func:`collect_seeds`.
        out_file (str): The picture to write.
    """
    rows = [row for row in rows if row['column'] == FIRST[row['task']]]
    places = list(dict.fromkeys((row['group'], row['task']) for row in rows))
    size = (12, 3.2 * len(places))
    with figure(out_file, panels=2 * len(places), size=size, columns=2) as panels:
        for index, place in enumerate(places):
            of_place = [row for row in rows if (row['group'], row['task']) == place]
            _draw_runs(panels[2 * index], of_place)
            _draw_differences(panels[2 * index + 1], of_place)


def _draw_runs(axes: Any, rows: Rows) -> None:
    values = [dict(zip(row['seeds'], row['values'])) for row in rows]
    for seed in sorted(set().union(*values)):
        of_seed = [row.get(seed, math.nan) for row in values]  # no line where none was
        axes.plot(of_seed, '.-', color='tab:gray', alpha=0.5, linewidth=0.8)
    for place, row in enumerate(rows):
        axes.errorbar(
            place, row['mean'], row['std'], fmt='o', color='black', capsize=4, zorder=3
        )
    labels = [row['label'] for row in rows]
    turned = dict(rotation=20, ha='right', rotation_mode='anchor')
    axes.set_xticks(range(len(rows)), labels, **turned)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    title = f'{rows[0]["group"]}: {rows[0]["task"]} {rows[0]["column"]} of every run'
    axes.set(title=title, ylabel='percent')


def _draw_differences(axes: Any, rows: Rows) -> None:
    rows = [row for row in rows if row['difference'] is not None]
    for place, row in enumerate(rows):
        half = None if row['low'] is None else row['high'] - row['difference']
        axes.errorbar(
            row['difference'], place, xerr=half, fmt='o', color='tab:red', capsize=4
        )
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row['label'] for row in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)  # of a row alone, too
    axes.set(title='difference to plain, 95 % confidence', xlabel='percent')
