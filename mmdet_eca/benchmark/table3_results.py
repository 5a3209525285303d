"""The table and the picture of the speed columns of Table 3."""

import itertools
import os.path as osp
from typing import Any

import torch

from ..training.machine import machine
from ..visualization import figure, text_table
from .measuring import significant, spread, write_table
from .results import draw_bars

COLUMNS = ('training', 'inference')


def table3_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table to read."""
    return text_table(_cells(rows))


def write_table3(
    rows: list[dict[str, Any]], setting: dict[str, Any], out: str, device: torch.device
) -> None:
    """Writes ``table3.txt``, ``table3.md``, ``table3.json`` and ``table3.png``.

    Args:
        rows (list[dict]): A dict a row: its ``name``, its ``backbone`` and, as
            ``training`` and ``inference``, dicts of ``images_per_second``, their
            ``ratios`` to the plain row of the backbone, one a round, and
            ``paper_images_per_second`` and ``paper_ratio``, None where the paper has
            none. The plain row stands first of its backbone.
        setting (dict): How they were run.
        out (str): The folder to write into.
        device (torch.device): The device that they were measured on.
    """
    results = dict(setting=setting, machine=machine(device), rows=rows)
    write_table(out, 'table3', table3_text(rows), _cells(rows), results, device)
    _draw(rows, osp.join(out, 'table3.png'))


def _cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """A header, and for each row both columns: measured, of plain, the paper's."""
    cells = [['images a second']]
    for column in COLUMNS:
        cells[0] += [column, 'of plain', "paper's"]
    for row in rows:
        cells.append([row['name']])
        for column in COLUMNS:
            speed = row[column]
            cells[-1] += [
                significant(speed['images_per_second']),
                spread(speed['ratios']),
                _ratio(speed['paper_ratio']),
            ]
    return cells


def _ratio(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def _draw(rows: list[dict[str, Any]], out_file: str) -> None:
    """Bars of each row's speed relative to plain; the paper's are diamonds."""
    places = _places(rows)
    size = (11, 1.4 + 0.34 * places[-1])
    has_papers = any(row['training']['paper_ratio'] is not None for row in rows)
    with figure(out_file, 2, size, True, legend_outside=has_papers) as panels:
        for axes, column in zip(panels, COLUMNS):
            for bar in draw_bars(axes, places, [row[column]['ratios'] for row in rows]):
                axes.text(  # in the bar, where no diamond is
                    0.02,
                    bar.get_y() + bar.get_height() / 2,
                    f'{bar.get_width():.2f}',
                    color='white',
                    va='center',
                )
            papers = [
                (row[column]['paper_ratio'], place)
                for row, place in zip(rows, places)
                if row[column]['paper_ratio'] is not None
            ]
            if papers:
                axes.plot(
                    *zip(*papers),
                    'D',
                    color='tab:orange',
                    markeredgecolor='black',
                    # The legend of both panels names it once.
                    label='the paper' if axes is panels[0] else None,
                )
            axes.set(title=f'{column}, images a second', xlabel='of the plain network')
        panels[0].set_yticks(places, [row['name'] for row in rows])
        panels[0].invert_yaxis()


def _places(rows: list[dict[str, Any]]) -> list[float]:
    """Returns the rows' places on the vertical axis, with a gap between backbones."""
    backbones = [row['backbone'] for row in rows]
    changes = [a != b for a, b in itertools.pairwise(backbones)]
    return [i + 0.6 * sum(changes[:i]) for i in range(len(rows))]
