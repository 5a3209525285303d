"""Figures 1 and 4 of the paper, with the runs that there are."""

from collections.abc import Collection
from typing import Any

from ..visualization import figure
from .paper_rows import FIGURE_1_METHODS, UNITS

COLOURS = dict(
    zip(
        FIGURE_1_METHODS, ('tab:gray', 'tab:blue', 'tab:green', 'tab:purple', 'tab:red')
    )
)
SMALL = ('ResNet-18', 'ResNet-34')  # on the authors' poster, not in the paper
AREA = 25  # of a circle, in square points a GFLOP
KERNEL_SIZES = (3, 5, 7, 9)
# Where SENet and the adaptive kernel size stand beside the kernel sizes.
PLACES = dict(zip((*KERNEL_SIZES, 'adaptive', None), (3, 5, 7, 9, 11, 13)))
DEPTHS = {'ResNet-50': 'tab:blue', 'ResNet-101': 'tab:red'}
OURS: dict[str, Any] = dict(marker='D', s=45, edgecolors='black', zorder=3)


def draw_figure_1(results: Collection[dict[str, Any]], out_file: str) -> None:
    """Draws top-1 accuracy against parameters; a circle's area says GFLOPs.

    Circles are the paper's, diamonds measured. Parameters and GFLOPs are in 10^6
    and 10^9, whatever the paper printed.

    Args:
        results (Collection[dict]): Those of Figure 1 that
            :func:`collect_imagenet` gives.
        out_file (str): The picture to write.
    """
    size = (13, 5.5)
    with figure(out_file, 2, size, legend_outside=True) as (left, right):
        for row in results:
            axes = left if row['backbone'] in SMALL else right
            colour = COLOURS[row['method']]
            x, gflops = _counts(row, 'paper_')
            axes.scatter(
                x, row['paper_top1'], AREA * gflops, color=colour, alpha=0.6, lw=0
            )
            if row['top1'] is not None:
                axes.scatter(_counts(row, '')[0], row['top1'], color=colour, **OURS)
            if row['method'] == 'ResNet':
                axes.annotate(
                    row['backbone'],
                    (x, row['paper_top1']),
                    xytext=(0, -14),
                    textcoords='offset points',
                    ha='center',
                    va='top',
                )
        for method, colour in COLOURS.items():
            right.scatter([], [], color=colour, alpha=0.6, lw=0, label=method)
        for gflops in (2, 4, 8):
            right.scatter(
                [], [], AREA * gflops, color='lightgray', label=f'{gflops} GFLOPs'
            )
        _label_runs(right, results)
        for axes, title in (
            (left, "ResNet-18 and -34 of the authors' poster"),
            (right, 'Figure 1 of the paper'),
        ):
            axes.margins(0.15)
            axes.set(
                title=title, xlabel='parameters (millions)', ylabel='top-1 accuracy (%)'
            )


def _label_runs(axes: Any, results: Collection[dict[str, Any]]) -> None:
    """Says in the legend what the diamonds are, if there are any."""
    if any(row['top1'] is not None for row in results):
        axes.scatter([], [], color='white', label='our runs', **OURS)


def _counts(row: dict[str, Any], prefix: str) -> tuple[float, float]:
    """Parameters in 10^6 and operations in 10^9; ``prefix`` says whose."""
    return (
        row[f'{prefix}params'] * UNITS[row['params_unit']] / 1e6,
        row[f'{prefix}flops'] * UNITS[row['flops_unit']] / 1e9,
    )


def draw_figure_4(results: Collection[dict[str, Any]], out_file: str) -> None:
    """Draws top-1 accuracy against the kernel size.

    Lines and dots are the paper's, diamonds measured. The adaptive kernel size and
    SENet are lines across, and have a place of their own on the right.

    Args:
        results (Collection[dict]): Those of Figure 4 that
            :func:`collect_imagenet` gives.
        out_file (str): The picture to write.
    """
    with figure(out_file, 1, (9, 5.5), legend_outside=True) as (axes,):
        for backbone, colour in DEPTHS.items():
            rows = [row for row in results if row['backbone'] == backbone]
            _draw_depth(axes, rows, colour, backbone.replace('ResNet-', ''))
        _label_runs(axes, results)
        titles = [*map(str, KERNEL_SIZES), 'adaptive', 'SENet']
        axes.set_xticks(list(PLACES.values()), titles)
        axes.set(
            title='Figure 4 of the paper',
            xlabel='kernel size',
            ylabel='top-1 accuracy (%)',
        )


def _draw_depth(
    axes: Any, rows: Collection[dict[str, Any]], colour: str, depth: str
) -> None:
    points = [row for row in rows if row['kernel_size'] in KERNEL_SIZES]
    axes.plot(
        [row['kernel_size'] for row in points],
        [row['paper_top1'] for row in points],
        'o-',
        color=colour,
        label=f'ECA-Net{depth}',
    )
    for row in rows:
        place = PLACES[row['kernel_size']]
        if row not in points:
            adaptive = row['kernel_size'] == 'adaptive'
            axes.axhline(
                row['paper_top1'],
                color=colour,
                linestyle='--' if adaptive else ':',
                alpha=0.6,
                label=f'ECA-Net{depth}, adaptive' if adaptive else f'SENet{depth}',
            )
            axes.plot(place, row['paper_top1'], 'o', color=colour)
        if row['top1'] is not None:
            axes.scatter(place, row['top1'], color=colour, **OURS)
