"""Writes the report on the runs: tables and pictures."""

import csv
import os
import os.path as osp
from typing import Any

from ..visualization import markdown_table
from .paper_rows import AP_COLUMNS, DETECTORS
from .pictures import draw_ap, draw_gains, draw_training
from .results import collect
from .runs import find_runs


def write_report(work_dirs: str, out_dir: str) -> list[dict[str, Any]]:
    """Writes ``tables.md``, ``tables.csv`` and the pictures.

    Args:
        work_dirs (str): Folder of the work directories, at any depth.
        out_dir (str): Gets the files.

    Returns:
        list[dict]: What :func:`collect` gives.

    Raises:
        UserError: If there is no folder ``work_dirs``.
    """
    runs = [run for run in find_runs(work_dirs) if not run.is_classifier]
    results = collect(runs)
    os.makedirs(out_dir, exist_ok=True)
    with open(osp.join(out_dir, 'tables.md'), 'w', encoding='utf-8') as file:
        file.write(format_report(results))
    with open(osp.join(out_dir, 'tables.csv'), 'w', newline='') as file:
        writer = csv.DictWriter(file, list(results[0]), extrasaction='ignore')
        writer.writeheader()
        writer.writerows(
            {
                key: '; '.join(value) if isinstance(value, list) else value
                for key, value in result.items()
            }
            for result in results
        )
    draw_ap(results, osp.join(out_dir, 'ap.png'))
    draw_training(runs, osp.join(out_dir, 'training.png'))
    draw_gains(results, osp.join(out_dir, 'gains.png'))
    return results


def format_report(results: list[dict[str, Any]]) -> str:
    """The tables in Markdown, and the runs that were left out with the reason."""
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
    problems = dict.fromkeys(
        problem for result in results for problem in result['problems']
    )
    if problems:
        parts += ['## Left out\n', ''.join(f'- {problem}\n' for problem in problems)]
    return '\n'.join(parts)


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
                _cell(row, 'params_m', '.2f'),
                _cell(row, 'gflops', '.2f'),
                _cell(row, 'AP', '.1f', spread),
                *(_cell(row, column, '.1f') for column in AP_COLUMNS[1:]),
                _cell(row, 'gain_AP', '+.1f'),
                str(len(row['runs'])),
            ]
        )
    return markdown_table(cells, left_columns=2)


def _cell(row: dict, name: str, form: str, spread: str = '') -> str:
    """What was measured, and in brackets the paper's figure."""
    measured, paper = row.get(name), row.get(f'paper_{name}')
    text = '-' if measured is None else f'{measured:{form}}{spread}'
    if paper is not None:
        mark = '?' if name.replace('gain_', '') in row['unconfirmed'] else ''
        text += f' ({paper:{form}}{mark})'
    return text
