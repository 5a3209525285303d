"""Writes the report on the runs: tables and pictures."""

import csv
import os
import os.path as osp
from collections.abc import Sequence
from typing import Any

from ..visualization import markdown_table
from .cells import cell
from .experiments import DETECTOR_TABLES, FIGURES, TABLES, check_numbers
from .imagenet_pictures import draw_figure_1, draw_figure_4
from .imagenet_report import PICTURES, imagenet_parts
from .imagenet_results import collect_imagenet
from .paper_rows import AP_COLUMNS, DETECTORS
from .pictures import draw_ap, draw_gains, draw_training
from .results import collect
from .runs import Run, find_runs


def write_report(
    work_dirs: str,
    out_dir: str,
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Writes ``tables.md``, tables as CSV and the pictures.

    The CSV file of detectors is ``tables.csv``, that of ImageNet ``imagenet.csv``.

    Args:
        work_dirs (str): Folder of the work directories, at any depth.
        out_dir (str): Gets the files.
        tables (Sequence[int], optional): Numbers of tables.
        figures (Sequence[int], optional): Numbers of figures. Without tables and
            figures, Tables 5 and 6 are meant.

    Returns:
        list[dict]: What :func:`collect` gives, then what :func:`collect_imagenet`
        gives.

    Raises:
        UserError: If there is no folder ``work_dirs``, no such table or figure.
    """
    if not tables and not figures:
        tables = DETECTOR_TABLES
    tables, figures = tables or (), figures or ()
    check_numbers(tables, TABLES, 'table')
    check_numbers(figures, FIGURES, 'figure')
    runs = find_runs(work_dirs)
    os.makedirs(out_dir, exist_ok=True)
    detectors: list[dict[str, Any]] = []
    classifiers: list[dict[str, Any]] = []
    if set(tables) & set(DETECTOR_TABLES):
        detectors = _report_detectors(
            [run for run in runs if not run.is_classifier], tables, out_dir
        )
    if figures or set(tables) - set(DETECTOR_TABLES):
        classifiers = _report_classifiers(
            [run for run in runs if run.is_classifier], tables, figures, out_dir
        )
    results = detectors + classifiers
    with open(osp.join(out_dir, 'tables.md'), 'w', encoding='utf-8') as file:
        file.write(format_report(results))
    return results


def _report_detectors(
    runs: list[Run], tables: Sequence[int], out_dir: str
) -> list[dict[str, Any]]:
    results = [row for row in collect(runs) if row['table'] in (*tables, None)]
    _write_csv(results, list(results[0]), osp.join(out_dir, 'tables.csv'))
    draw_ap(results, osp.join(out_dir, 'ap.png'))
    draw_training(
        runs, osp.join(out_dir, 'training.png'), 'coco/bbox_mAP', 100, 'box AP'
    )
    draw_gains(results, osp.join(out_dir, 'gains.png'))
    return results


def _report_classifiers(
    runs: list[Run], tables: Sequence[int], figures: Sequence[int], out_dir: str
) -> list[dict[str, Any]]:
    results = collect_imagenet(runs, tables, figures)
    columns = list(dict.fromkeys(key for row in results for key in row))
    _write_csv(results, columns, osp.join(out_dir, 'imagenet.csv'))
    if runs:
        draw_training(
            runs, osp.join(out_dir, 'imagenet_training.png'), 'top1', 1, 'top-1'
        )
    for number, draw in ((1, draw_figure_1), (4, draw_figure_4)):
        points = [row for row in results if row['figure'] == number]
        if points:
            draw(points, osp.join(out_dir, PICTURES[number]))
    return results


def _write_csv(results: list[dict[str, Any]], columns: list[str], path: str) -> None:
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, columns, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(
            {
                key: '; '.join(value) if isinstance(value, list) else value
                for key, value in result.items()
            }
            for result in results
        )


def format_report(results: list[dict[str, Any]]) -> str:
    """The tables in Markdown, and the runs that were left out with the reason."""
    detectors = [row for row in results if 'detector' in row]
    classifiers = [row for row in results if 'detector' not in row]
    parts = detector_parts(detectors) if detectors else []
    if classifiers:
        parts += imagenet_parts(classifiers)
    problems = dict.fromkeys(
        problem for result in results for problem in result.get('problems', ())
    )
    if problems:
        parts += ['## Left out\n', ''.join(f'- {problem}\n' for problem in problems)]
    return '\n'.join(parts)


def detector_parts(results: list[dict[str, Any]]) -> list[str]:
    """The sections of the report on detectors, in Markdown."""
    parts = [
        '# Tables 5 and 6 of ECA-Net\n',
        (
            'Measured with this code (in brackets: the paper), COCO val2017, '
            'percent. "?" marks a figure of the paper that is not confirmed. The '
            'gain is over the plain row of the same code; MMDetection 3.x trains '
            'its plain detectors better than 1.x, with which the paper trained.\n'
        ),
    ]
    for table, task in ((5, 'box'), (6, 'mask'), (None, '')):
        rows = [result for result in results if result['table'] == table]
        if rows:
            title = (
                f'Table {table}: {task} AP'
                if table
                else 'Not in the paper: other runs, on their own data'
            )
            parts += [f'## {title}\n', _results_table(rows) + '\n']
    return parts


def _results_table(rows: list[dict[str, Any]]) -> str:
    cells = [['', '', '#Param', 'GFLOPs', *AP_COLUMNS, 'gain', 'runs']]
    for row in rows:
        title = f'{row["name"]}, {row["task"]}'
        if row['table']:
            title = f'{DETECTORS[row["detector"]]} R{row["depth"]}'
        spread = '' if row['std_AP'] is None else f' ±{row["std_AP"]:.1f}'
        cells.append(
            [
                title,
                row['attention'] or 'plain',
                cell(row, 'params_m', '.2f'),
                cell(row, 'gflops', '.2f'),
                cell(row, 'AP', '.1f', spread),
                *(cell(row, column, '.1f') for column in AP_COLUMNS[1:]),
                cell(row, 'gain_AP', '+.1f'),
                str(len(row['runs'])),
            ]
        )
    return markdown_table(cells, left_columns=2)
