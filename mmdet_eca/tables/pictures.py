"""The report's pictures."""

import os.path as osp
from typing import Any

from ..visualization import figure
from .paper_rows import DETECTORS
from .runs import Run

COLOURS = {
    None: 'tab:gray',
    'se': 'tab:blue',
    'eca': 'tab:red',
    'gc': 'tab:green',
    'nl': 'tab:purple',
}
TABLES = {5: 'box', 6: 'mask'}
MARKERS = dict(faster_rcnn='o', mask_rcnn='s', retinanet='^')


def draw_ap(results: list[dict[str, Any]], out_file: str) -> None:
    """Draws AP against parameters, as the paper's Figure 1.

    Hollow marks are the paper's, filled ones measured.

    Args:
        results (list[dict]): What :func:`collect` gives.
        out_file (str): The picture to write.
    """
    with figure(out_file, panels=2, size=(14, 5)) as panels:
        for axes, (table, task) in zip(panels, TABLES.items()):
            for row in results:
                if row['table'] == table:
                    _mark(axes, row)
            for attention, colour in COLOURS.items():
                axes.scatter([], [], color=colour, label=attention or 'plain')
            for detector, marker in MARKERS.items():
                name = DETECTORS[detector]
                axes.scatter([], [], color='black', marker=marker, label=name)
            axes.set(
                title=f'Table {table}: {task} AP; hollow: paper, large: R101',
                xlabel='parameters (millions)',
                ylabel='AP',
            )


def _mark(axes: Any, row: dict[str, Any]) -> None:
    colour = COLOURS[row['attention']]
    style = dict(marker=MARKERS[row['detector']], s=25 + row['depth'])
    axes.scatter(
        row['paper_params_m'], row['paper_AP'], color='none', edgecolors=colour, **style
    )
    if row['AP'] is not None:
        axes.scatter(row['params_m'], row['AP'], color=colour, **style)


def draw_training(
    runs: list[Run], out_file: str, metric: str, scale: float, title: str
) -> None:
    """Draws the loss and the result by epoch of all runs.

    Runs that are not finished are dotted.

    Args:
        runs (list[Run]): The runs.
        out_file (str): The picture to write.
        metric (str): Name of the result in the logs.
        scale (float): What it is multiplied by, to be in percent.
        title (str): What the result is.
    """
    with figure(out_file, panels=2, size=(14, 5)) as (left, right):
        for run in runs:
            line = '-' if run.state == 'finished' else ':'
            label = osp.basename(run.work_dir)
            left.plot(
                [row['step'] for row in run.training],
                [row['loss'] for row in run.training],
                line,
                label=label,
            )
            evaluations = [row for row in run.evaluations if metric in row]
            right.plot(
                [row['step'] for row in evaluations],
                [scale * row[metric] for row in evaluations],
                line,
                marker='.',
                label=label,
            )
        left.set(title='training loss', xlabel='iteration', yscale='log')
        right.set(title=title, xlabel='epoch')


def draw_gains(results: list[dict[str, Any]], out_file: str) -> None:
    """Draws the gain of attention over the plain row, by size of the objects.

    Bars are measured, the black marks the paper's.

    Args:
        results (list[dict]): What :func:`collect` gives.
        out_file (str): The picture to write.
    """
    with figure(out_file, panels=2, size=(14, 8)) as panels:
        for axes, (task, name) in zip(panels, (('bbox', 'box'), ('segm', 'mask'))):
            rows = [
                row
                for row in results
                if row['task'] == task
                and row['attention']
                and (row['gain_APS'], row['paper_gain_APS']) != (None, None)
            ]
            for offset, size in ((-0.27, 'small'), (0, 'medium'), (0.27, 'large')):
                places = [index + offset for index in range(len(rows))]
                _draw_bars(axes, rows, places, size)
            axes.set_yticks(
                range(len(rows)), [row['name'] for row in rows], fontsize='small'
            )
            axes.invert_yaxis()
            axes.set(title=f'{name} AP: gain over the plain row')


def _draw_bars(axes: Any, rows: list[dict], places: list[float], size: str) -> None:
    """The gains on objects of one size, and the paper's where it has them."""
    column = f'gain_AP{size[0].upper()}'
    axes.barh(places, [row[column] or 0 for row in rows], 0.25, label=size)
    paper = [
        (row[f'paper_{column}'], place)
        for row, place in zip(rows, places)
        if row[f'paper_{column}'] is not None
    ]
    axes.plot(
        [gain for gain, _ in paper],
        [place for _, place in paper],
        'k|',
        label='paper' if size == 'large' else None,
    )
