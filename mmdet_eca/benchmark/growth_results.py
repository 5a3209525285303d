"""The table and the picture of how time and memory grow."""

import os.path as osp
from typing import Any

import torch

from ..visualization import figure, text_table
from .measuring import significant, spread, write_table

# The costs and their units.
COSTS = {
    'training step': 's',
    'inference, whole batch': 's',
    'saved activations': 'MiB',
}


def growth_text(results: list[dict[str, Any]]) -> str:
    """The results as a table to read."""
    return text_table(_cells(results), left_columns=2)


def write_growth(results: list[dict[str, Any]], out: str, device: torch.device) -> None:
    """Writes ``growth.txt``, ``growth.md``, ``growth.json`` and ``growth.png``.

    Args:
        results (list[dict]): A dict for each row with each images: ``row``, ``axis``
            (what grows), ``batch_size``, ``height``, ``width``, ``pixels`` of all
            images together, and the costs: a time as ``dict(seconds, ratios)``, the
            ratios to the first row, one a round; memory in bytes.
        out (str): The folder to write into.
        device (torch.device): The device that they were measured on.
    """
    text, cells = growth_text(results), _cells(results)
    write_table(out, 'growth', text, cells, results, device, left_columns=2)
    _draw(results, osp.join(out, 'growth.png'))


def _cells(results: list[dict[str, Any]]) -> list[list[str]]:
    """A header, and the costs of each row for a megapixel and of the first row's."""
    cells = [['images', 'row']]
    for cost, unit in COSTS.items():
        cells[0] += [f'{cost} ({unit}/Mpx)', 'of the first']
    first = results[0]
    for result in results:
        if result['row'] == results[0]['row']:
            first = result  # with these images
        images = f'{result["batch_size"]} x {result["height"]}x{result["width"]}'
        cells.append([images, result['row']])
        for cost in COSTS:
            of_megapixel = _amount(result, cost) / result['pixels'] * 1e6
            value = result[cost]
            is_time = isinstance(value, dict)
            ratios = value['ratios'] if is_time else [value / first[cost]]
            cells[-1] += [significant(of_megapixel), spread(ratios)]
    return cells


def _amount(result: dict[str, Any], cost: str) -> float:
    """Seconds, or MiB."""
    value = result[cost]
    return value['seconds'] if isinstance(value, dict) else value / 2**20


def _draw(results: list[dict[str, Any]], out_file: str) -> None:
    """A panel for each cost and each way to grow, over the pixels.

    Lines from the origin show what would be proportional to the largest.
    """
    axes_names = list(dict.fromkeys(result['axis'] for result in results))
    rows = list(dict.fromkeys(result['row'] for result in results))
    panels = len(axes_names) * len(COSTS)
    size = (13, 0.5 + 3.5 * len(axes_names))
    with figure(
        out_file, panels, size, legend_outside=True, columns=len(COSTS)
    ) as grid:
        cases = [(name, cost) for name in axes_names for cost in COSTS]
        for axes, (name, cost) in zip(grid, cases):
            for number, row in enumerate(rows):
                points = [
                    (result['pixels'] / 1e6, _amount(result, cost))
                    for result in results
                    if result['row'] == row and result['axis'] == name
                ]
                label = row if axes is grid[0] else None
                axes.plot(*zip(*points), 'o-', color=f'C{number}', label=label)
                axes.plot(*zip((0, 0), max(points)), ':', color=f'C{number}', alpha=0.7)
            axes.set(
                title=f'{cost}, by {name}',
                xlabel='megapixels in the batch',
                ylabel=COSTS[cost],
                xlim=(0, None),
                ylim=(0, None),
            )
