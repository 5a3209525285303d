"""The table and the picture of the benchmark of models."""

import os.path as osp
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..visualization import figure, text_table
from .measuring import spread, write_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

# By row and measure: a time as dict(seconds, ratios), or a number of bytes.
Results = dict[str, dict[str, Any]]


def results_text(results: Results) -> str:
    """The results as a table to read, relative to the first row."""
    return text_table(_cells(results), has_footer=True)


def write_results(results: Results, out: str, device: torch.device) -> None:
    """Writes ``model.txt``, ``model.md``, ``model.json`` and ``model.png``.

    Args:
        results (dict): The results, the row to compare with first.
        out (str): The folder to write into.
        device (torch.device): The device that they were measured on.
    """
    text = results_text(results)
    write_table(out, 'model', text, _cells(results), results, device)
    _draw(results, osp.join(out, 'model.png'))


def _cells(results: Results) -> list[list[str]]:
    """A header, the ratios of each row, and what the first row's are of."""
    first = next(iter(results.values()))
    cells = [['relative to the first', *first]]
    for row in results:
        cells.append([row, *(spread(_ratios(results, row, name)) for name in first)])
    absolute = ['the first, absolute']
    for value in first.values():
        absolute.append(
            f'{value["seconds"]:.3f} s'
            if isinstance(value, dict)
            else f'{value / 2**20:.0f} MiB'
        )
    return [*cells, absolute]


def _ratios(results: Results, row: str, measure: str) -> list[float]:
    """Ratios to the first row: one a round of a time, one of a size."""
    value = results[row][measure]
    if isinstance(value, dict):
        return value['ratios']
    first = next(iter(results.values()))
    return [value / first[measure]]


def _draw(results: Results, out_file: str) -> None:
    """Bars of the medians, with the range of the rounds."""
    measures = next(iter(results.values()))
    size = (3.2 * len(measures), 1 + 0.5 * len(results))
    with figure(out_file, len(measures), size, share_y=True) as panels:
        for axes, measure in zip(panels, measures):
            ratios = [_ratios(results, row, measure) for row in results]
            bars = draw_bars(axes, list(results), ratios)
            axes.bar_label(bars, fmt='%.2f', padding=3)
            axes.set(title=measure, xlim=(0, 1.25 * max(map(max, ratios))))
        panels[0].invert_yaxis()


def draw_bars(
    axes: 'Axes', places: Sequence[Any], ratios: Sequence[Sequence[float]]
) -> 'BarContainer':
    """Draws a bar a row: the median of the rounds, and their range.

    Args:
        axes (matplotlib.axes.Axes): The panel.
        places (Sequence): Where the bars are on the vertical axis: names or numbers.
        ratios (Sequence[Sequence[float]]): The ratios of each row, one a round.

    Returns:
        matplotlib.container.BarContainer: The bars, which may be given labels.
    """
    medians = [statistics.median(values) for values in ratios]
    ranges = [
        [median - min(values) for median, values in zip(medians, ratios)],
        [max(values) - median for median, values in zip(medians, ratios)],
    ]
    axes.axvline(1, color='0.6', linewidth=1)
    return axes.barh(places, medians, xerr=ranges, color='#4878a8', ecolor='0.4')
