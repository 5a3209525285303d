"""Writes the report on the runs on the digits: tables and a picture."""

import csv
import os
import os.path as osp
from typing import Any

from ...errors import UserError
from ...visualization import markdown_table
from .pictures import draw_small
from .records import find_small_runs, keep_results, read_records
from .results import SMALL_DIFFERENCE, collect_small, done_again, first_column, problems


def write_small_report(
    work_dirs: str, results: str, out_dir: str
) -> list[dict[str, Any]]:
    """Writes ``digits.md``, ``digits.csv`` and ``digits.png``.

    The results of runs that have finished since are kept first.

    Args:
        work_dirs (str): Folder of the work directories; need not exist.
        results (str): Folder of the results that are kept.
        out_dir (str): Gets the files.

    Returns:
        list[dict]: What :func:`collect_small` gives.

    Raises:
        UserError: If no run is finished.
    """
    keep_results(work_dirs, results)
    records, runs = read_records(results), find_small_runs(work_dirs)
    rows = collect_small(records)
    if not rows:
        raise UserError(
            f'there are no results of a finished run in {results} or {work_dirs}: '
            'train some with "run --table digits"'
        )
    os.makedirs(out_dir, exist_ok=True)
    left_out = problems(runs)
    parts = [_introduction(), *_groups(rows), *_again(done_again(records, runs), rows)]
    if left_out:
        parts.append('## Left out\n\n' + ''.join(f'- {text}\n' for text in left_out))
    with open(osp.join(out_dir, 'digits.md'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(parts))
    with open(osp.join(out_dir, 'digits.csv'), 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            lists = {key: ' '.join(map(str, row[key])) for key in ('seeds', 'values')}
            writer.writerow(dict(row, **lists))
    draw_small(rows, osp.join(out_dir, 'digits.png'))
    return rows


def small_report_text(out_dir: str) -> str:
    """The tables that were written, to be printed."""
    with open(osp.join(out_dir, 'digits.md'), encoding='utf-8') as file:
        return file.read()


def _introduction() -> str:
    return (
        '# The tables in small, on the digits\n\n'
        'In percent. Mean ± standard deviation over the seeds. Below, the difference '
        'to plain over the seeds that both have, and its 95 % confidence interval '
        "(Student's t, paired by seed); it is **bold** where the interval leaves out "
        f'zero. The last column says how many seeds show a true difference of '
        f'{SMALL_DIFFERENCE} % in the first column four times in five.\n'
    )


def _groups(rows: list[dict[str, Any]]) -> list[str]:
    """The sections of the report, in Markdown."""
    parts = []
    for group in dict.fromkeys(row['group'] for row in rows):
        parts.append(f'## {group}\n')
        of_group = [row for row in rows if row['group'] == group]
        for task in dict.fromkeys(row['task'] for row in of_group):
            parts.append(_table([r for r in of_group if r['task'] == task], task))
    return parts


def _table(rows: list[dict[str, Any]], task: str) -> str:
    columns = list(dict.fromkeys(row['column'] for row in rows))
    by_cell = {(row['label'], row['column']): row for row in rows}
    labels = list(dict.fromkeys(row['label'] for row in rows))
    cells = [[task, *columns, 'seeds', 'needed']]
    for label in labels:
        of_label = [by_cell.get((label, column)) for column in columns]
        seeds = max(len(row['seeds']) for row in of_label if row)
        cells.append([label, *map(_value, of_label), str(seeds), ''])
    for label in labels:
        of_label = [by_cell.get((label, column)) for column in columns]
        first = of_label[0]
        if first and first['difference'] is not None:
            needed = first['seeds_needed']
            cells.append(
                [
                    f'{label} - plain',
                    *map(_difference, of_label),
                    str(first['paired']),
                    '' if needed is None else str(needed),
                ]
            )
    return markdown_table(cells) + '\n'


def _value(row: dict[str, Any] | None) -> str:
    if row is None:
        return '-'
    spread = '' if row['std'] is None else f' ±{row["std"]:.1f}'
    return f'{row["mean"]:.1f}{spread}'


def _difference(row: dict[str, Any] | None) -> str:
    if row is None or row['difference'] is None:
        return '-'
    text = f'{row["difference"]:+.1f}'
    if row['low'] is None:
        return text
    text += f' [{row["low"]:+.1f}, {row["high"]:+.1f}]'
    return f'**{text}**' if row['low'] * row['high'] > 0 else text


def _again(repeated: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
    """The section on runs that were done again from nothing."""
    if not repeated:
        return []
    spread = {
        (row['name'], row['task']): row['std']
        for row in rows
        if row['column'] == first_column(row['task'])
    }
    cells = [['run', 'of', 'kept', 'again', 'difference', '± of the row']]
    for one in repeated:
        std = spread.get((one['name'], one['task']))
        cells.append(
            [
                f'{one["name"]}, seed {one["seed"]}',
                f'{one["task"]} {one["column"]}',
                f'{one["kept"]:.1f}',
                f'{one["again"]:.1f}',
                f'{one["again"] - one["kept"]:+.1f}',
                '-' if std is None else f'{std:.1f}',
            ]
        )
    return [
        '## Done again from nothing\n',
        markdown_table(cells, left_columns=2) + '\n',
    ]
