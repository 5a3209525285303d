"""The curves of a training run."""

import json
from collections.abc import Sequence
from typing import Any

from .figures import figure


def draw_curves(scalars_files: Sequence[str], out_file: str) -> None:
    """Plots the loss and the COCO AP of a run over its iterations.

    Args:
        scalars_files (Sequence[str]): ``vis_data/scalars.json`` of the run and
            of those that it resumed, in order; one JSON object a line.
        out_file (str): The picture to write.
    """
    rows = []
    for scalars_file in scalars_files:
        with open(scalars_file) as file:
            rows += [json.loads(line) for line in file]
    losses, results = [], []
    for row in rows:
        if 'loss' in row:
            losses.append(row)
        elif losses:  # a validation, at the iteration that training has reached
            results.append(dict(row, iter=losses[-1]['iter']))
    with figure(out_file, panels=2, size=(12, 4.5), legend_outside=True) as (
        left,
        right,
    ):
        _plot_losses(left, losses)
        _plot_ap(right, results)


def _plot_losses(axes: Any, losses: list[dict]) -> None:
    names = [name for name in losses[-1] if name.startswith('loss')]
    for name in sorted(names, key=lambda name: -losses[0][name]):
        _plot(axes, losses, name, name, linewidth=2 if name == 'loss' else 1)
    axes.set(title='training loss', xlabel='iteration', yscale='log')


def _plot_ap(axes: Any, results: list[dict]) -> None:
    for task, label in (('bbox', 'box'), ('segm', 'mask')):
        for metric, style in (('mAP', '-'), ('mAP_50', '--'), ('mAP_75', ':')):
            key = f'coco/{task}_{metric}'
            if any(key in row for row in results):
                _plot(
                    axes,
                    results,
                    key,
                    f'{label} {metric[1:].replace("_", "")}',
                    linestyle=style,
                    marker='.',
                    color='tab:blue' if task == 'bbox' else 'tab:orange',
                )
    axes.set(title='validation AP', xlabel='iteration', ylim=(0, 1))


def _plot(axes: Any, rows: list[dict], key: str, label: str, **style: Any) -> None:
    points = [(row['iter'], row[key]) for row in rows if key in row]
    axes.plot(*zip(*points), label=label, **style)
