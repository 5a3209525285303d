"""The report's pictures: Figures 1 and 4, AP and trainings."""

import os.path as osp
from collections.abc import Collection
from typing import Any

from ..visualization import figure
from .paper_rows import DETECTORS, FIGURE_1_METHODS, UNITS
from .tables import Rows
from .work_dirs import Run, in_percent

ATTENTION_COLOURS = {
    None: 'tab:gray',
    'se': 'tab:blue',
    'eca': 'tab:red',
    'gc': 'tab:green',
    'nl': 'tab:purple',
}
MARKERS = dict(faster_rcnn='o', mask_rcnn='s', retinanet='^')
METHOD_COLOURS = dict(
    zip(
        FIGURE_1_METHODS, ('tab:gray', 'tab:blue', 'tab:green', 'tab:purple', 'tab:red')
    )
)
SMALL = ('ResNet-18', 'ResNet-34')  # on the authors' poster, not in the paper
AREA = 25  # of a circle, in square points a GFLOP
# Where SENet and the adaptive kernel size stand beside the kernel sizes.
PLACES = {3: 3, 5: 5, 7: 7, 9: 9, 'adaptive': 11, None: 13}
DEPTHS = {'ResNet-50': 'tab:blue', 'ResNet-101': 'tab:red'}
OURS: dict[str, Any] = dict(marker='D', s=45, edgecolors='black', zorder=3)


def draw_ap(results: Rows, out_file: str) -> None:
    """Draws AP against parameters.

    Hollow marks are the paper's, filled ones measured.

    Args:
        results (list[dict]): The rows of :func:`collect_detectors`.
        out_file (str): The picture to write.
    """
    with figure(out_file, panels=2, size=(14, 5)) as panels:
        for axes, (table, task) in zip(panels, {5: 'box', 6: 'mask'}.items()):
            for row in results:
                if row['table'] != table:
                    continue
                colour = ATTENTION_COLOURS[row['attention']]
                style = dict(marker=MARKERS[row['detector']], s=25 + row['depth'])
                place = row['paper_params_m'], row['paper_AP']
                axes.scatter(*place, color='none', edgecolors=colour, **style)
                if row['AP'] is not None:
                    axes.scatter(row['params_m'], row['AP'], color=colour, **style)
            for attention, colour in ATTENTION_COLOURS.items():
                axes.scatter([], [], color=colour, label=attention or 'plain')
            for detector, marker in MARKERS.items():
                name = DETECTORS[detector]
                axes.scatter([], [], color='black', marker=marker, label=name)
            title = f'Table {table}: {task} AP; hollow: paper, large: R101'
            axes.set(title=title, xlabel='parameters (millions)', ylabel='AP')


def draw_training(
    runs: Collection[Run], out_file: str, metric: str, title: str
) -> None:
    """Draws the loss and the result by epoch of all runs.

    Runs that are not finished are dotted.

    Args:
        runs (Collection[Run]): The runs.
        out_file (str): The picture to write.
        metric (str): Name of the result in the logs.
        title (str): Name of the result.
    """
    with figure(out_file, panels=2, size=(14, 5)) as (left, right):
        for run in runs:
            line = '-' if run.state == 'finished' else ':'
            label = osp.basename(run.work_dir)
            results = [row for row in run.evaluations if metric in row]
            left.plot(
                [row['step'] for row in run.training],
                [row['loss'] for row in run.training],
                line,
                label=label,
            )
            right.plot(
                [row['step'] for row in results],
                [in_percent(row, metric) or 0.0 for row in results],
                line,
                marker='.',
                label=label,
            )
        left.set(title='training loss', xlabel='iteration', yscale='log')
        right.set(title=title, xlabel='epoch')


def draw_figure_1(results: Rows, out_file: str) -> None:
    """Draws top-1 accuracy against parameters; a circle's area says GFLOPs.

    Circles are the paper's, diamonds measured. Parameters and GFLOPs are in 10^6
    and 10^9, whatever the paper printed.

    Args:
        results (list[dict]): The points of Figure 1 of :func:`collect_classifiers`.
        out_file (str): The picture to write.
    """
    with figure(out_file, 2, (13, 5.5), legend_outside=True) as (left, right):
        for row in results:
            axes = left if row['backbone'] in SMALL else right
            colour = METHOD_COLOURS[row['method']]
            params_unit = UNITS[row['params_unit']] / 1e6
            x = row['paper_params'] * params_unit
            gflops = row['paper_flops'] * UNITS[row['flops_unit']] / 1e9
            place = x, row['paper_top1']
            axes.scatter(*place, AREA * gflops, color=colour, alpha=0.6, lw=0)
            if row['top1'] is not None:
                ours = row['params'] * params_unit, row['top1']
                axes.scatter(*ours, color=colour, **OURS)
            if row['method'] == 'ResNet':
                below: dict[str, Any] = dict(
                    xytext=(0, -14), textcoords='offset points'
                )
                axes.annotate(row['backbone'], place, ha='center', va='top', **below)
        for method, colour in METHOD_COLOURS.items():
            right.scatter([], [], color=colour, alpha=0.6, lw=0, label=method)
        for gflops in (2, 4, 8):
            label = f'{gflops} GFLOPs'
            right.scatter([], [], AREA * gflops, color='lightgray', label=label)
        _label_runs(right, results)
        for axes, title in (
            (left, "ResNet-18 and -34 of the authors' poster"),
            (right, 'Figure 1 of the paper'),
        ):
            axes.margins(0.15)
            labels = dict(xlabel='parameters (millions)', ylabel='top-1 accuracy (%)')
            axes.set(title=title, **labels)


def _label_runs(axes: Any, results: Rows) -> None:
    """Explains the diamonds in the legend, if there are any."""
    if any(row['top1'] is not None for row in results):
        axes.scatter([], [], color='white', label='our runs', **OURS)


def draw_figure_4(results: Rows, out_file: str) -> None:
    """Draws top-1 accuracy against the kernel size.

    Lines and dots are the paper's, diamonds measured. The adaptive kernel size and
    SENet are lines across, and have a place of their own on the right.

    Args:
        results (list[dict]): The points of Figure 4 of :func:`collect_classifiers`.
        out_file (str): The picture to write.
    """
    with figure(out_file, 1, (9, 5.5), legend_outside=True) as (axes,):
        for backbone, colour in DEPTHS.items():
            depth = backbone.removeprefix('ResNet-')
            rows = [row for row in results if row['backbone'] == backbone]
            sizes = [row for row in rows if isinstance(row['kernel_size'], int)]
            axes.plot(
                [row['kernel_size'] for row in sizes],
                [row['paper_top1'] for row in sizes],
                'o-',
                color=colour,
                label=f'ECA-Net{depth}',
            )
            for row in rows:
                place, top1 = PLACES[row['kernel_size']], row['paper_top1']
                if row not in sizes:
                    adaptive = row['kernel_size'] == 'adaptive'
                    name = f'ECA-Net{depth}, adaptive' if adaptive else f'SENet{depth}'
                    style: dict[str, Any] = dict(linestyle='--' if adaptive else ':')
                    axes.axhline(top1, color=colour, alpha=0.6, label=name, **style)
                    axes.plot(place, top1, 'o', color=colour)
                if row['top1'] is not None:
                    axes.scatter(place, row['top1'], color=colour, **OURS)
        _label_runs(axes, results)
        axes.set_xticks(
            list(PLACES.values()), [str(size or 'SENet') for size in PLACES]
        )
        axes.set(
            title='Figure 4 of the paper',
            xlabel='kernel size',
            ylabel='top-1 accuracy (%)',
        )
