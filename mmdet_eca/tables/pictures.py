"""The report's pictures."""

import os.path as osp
from typing import Any, Dict, List

from .rows import DETECTORS
from .runs import Run

COLOURS = {
    None: 'tab:gray',
    'se': 'tab:blue',
    'eca': 'tab:red',
    'gc': 'tab:green',
    'nl': 'tab:purple',
}
NAMES = {5: 'box', 6: 'mask'}
MARKERS = dict(faster_rcnn='o', mask_rcnn='s', retinanet='^')


def draw_ap(results: List[Dict[str, Any]], out_file: str) -> None:
    """AP against parameters, as the paper's Figure 1: hollow marks are the
    paper's, filled ones measured.

    Args:
        results (list[dict]): Of :func:`~.report.collect`.
        out_file (str): The picture to write.
    """
    figure, panels = _figure(len(NAMES))
    for axes, (table, task) in zip(panels, NAMES.items()):
        for row in (r for r in results if r['table'] == table):
            style = dict(
                marker=MARKERS[row['detector']],
                color=COLOURS[row['attention']],
                s=25 + row['depth'],
            )
            axes.scatter(
                row['paper_params_m'],
                row['paper_AP'],
                **{**style, 'color': 'none'},
                edgecolors=style['color'],
            )
            if row['AP'] is not None:
                axes.scatter(row['params_m'], row['AP'], **style)
        axes.set(
            title=f'Table {table}: {task} AP; hollow: paper, large: R101',
            xlabel='parameters (millions)',
            ylabel='AP',
        )
        for attention, colour in COLOURS.items():
            axes.scatter([], [], color=colour, label=attention or 'plain')
        for detector, marker in MARKERS.items():
            axes.scatter(
                [], [], color='black', marker=marker, label=DETECTORS[detector]
            )
    _save(figure, panels, out_file)


def draw_training(runs: List[Run], out_file: str) -> None:
    """Loss and box AP of all runs; those that do not count are dotted.

    Args:
        runs (list[Run]): All runs that were found.
        out_file (str): The picture to write.
    """
    figure, (left, right) = _figure(2)
    for run in runs:
        line = '-' if run.state == 'finished' else ':'
        label = osp.basename(run.work_dir)
        left.plot(
            [row['step'] for row in run.training],
            [row['loss'] for row in run.training],
            line,
            label=label,
        )
        found = [row for row in run.evaluations if 'coco/bbox_mAP' in row]
        right.plot(
            [row['step'] for row in found],
            [100 * row['coco/bbox_mAP'] for row in found],
            line,
            marker='.',
            label=label,
        )
    left.set(title='training loss', xlabel='iteration', yscale='log')
    right.set(title='box AP', xlabel='epoch')
    _save(figure, [left, right], out_file)


def draw_gains(results: List[Dict[str, Any]], out_file: str) -> None:
    """Gain of each block over the plain row, by size of the objects.

    Bars are measured, the black marks the paper's.

    Args:
        results (list[dict]): Of :func:`~.report.collect`.
        out_file (str): The picture to write.
    """
    groups = {
        'box AP': [r for r in results if r['task'] == 'bbox'],
        'mask AP': [r for r in results if r['task'] == 'segm'],
    }
    figure, panels = _figure(2, height=8)
    for axes, (title, rows) in zip(panels, groups.items()):
        rows = [
            row
            for row in rows
            if row['attention']
            and (row['gain_APS'], row['paper_gain_APS']) != (None, None)
        ]
        for offset, size in enumerate('SML'):
            places = [i + 0.27 * (offset - 1) for i in range(len(rows))]
            gains = [row[f'gain_AP{size}'] or 0 for row in rows]
            axes.barh(
                places, gains, 0.25, label=dict(S='small', M='medium', L='large')[size]
            )
            quoted = [
                (row[f'paper_gain_AP{size}'], place)
                for row, place in zip(rows, places)
                if row[f'paper_gain_AP{size}'] is not None
            ]
            axes.plot(
                *(zip(*quoted) if quoted else ([], [])),
                'k|',
                label='paper' if size == 'L' else None,
            )
        axes.set_yticks(
            range(len(rows)), [row['name'] for row in rows], fontsize='small'
        )
        axes.invert_yaxis()
        axes.set(title=f'{title}: gain over the plain row')
    _save(figure, panels, out_file)


def _figure(panels: int, height: float = 5):
    import matplotlib  # half a second to import

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    return plt.subplots(1, panels, figsize=(7 * panels, height))


def _save(figure, panels, out_file: str) -> None:
    import matplotlib.pyplot as plt

    for axes in panels:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize='x-small')
    figure.tight_layout()
    figure.savefig(out_file, dpi=120)
    plt.close(figure)
