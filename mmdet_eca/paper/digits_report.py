"""The report on the runs on Digits-COCO: statistics, tables and a picture."""

import csv
import math
import os
import os.path as osp
from collections.abc import Iterable, Mapping
from itertools import count
from statistics import mean, stdev
from typing import Any

import numpy as np
from scipy import stats

from ..errors import UserError
from ..visualization import figure, markdown_table
from .digits_results import (
    Record,
    as_record,
    find_digits_runs,
    keep_results,
    read_records,
)
from .digits_rows import CLASSIFIER_METRICS, DETECTOR_METRICS, digits_rows
from .work_dirs import Run

Rows = list[dict[str, Any]]
METRICS = {**DETECTOR_METRICS, **CLASSIFIER_METRICS}
# The column that a task is judged by.
FIRST = {'box': 'AP', 'mask': 'AP', 'accuracy': 'top-1'}
# The number of seeds that are needed is given for a difference of this, in percent.
SMALL_DIFFERENCE = 1
POWER = 0.8
INTRODUCTION = f"""\
# The tables on Digits-COCO

In percent. Mean ± standard deviation over the seeds. Below, the difference to \
plain over the seeds that both have, and its 95 % confidence interval (Student's t, \
paired by seed); it is **bold** where the interval leaves out zero. The last column is \
the number of seeds that show a true difference of {SMALL_DIFFERENCE} % in the first \
column four times in five.
"""


def write_digits_report(work_dirs: str, results: str, out_dir: str) -> tuple[Rows, str]:
    """Writes ``digits.md``, ``digits.csv`` and ``digits.png``.

    The results of runs that have finished since are kept first.

    Args:
        work_dirs (str): Folder of the work directories; need not exist.
        results (str): Folder of the results that are kept.
        out_dir (str): Gets the files.

    Returns:
        tuple: The rows of :func:`collect_digits`, and the text of ``digits.md``.

    Raises:
        UserError: If no run is finished.
    """
    keep_results(work_dirs, results)
    records, runs = read_records(results), find_digits_runs(work_dirs)
    rows = collect_digits(records)
    if not rows:
        raise UserError(
            f'there are no results of a finished run in {results} or {work_dirs}: '
            'train some with "run --table digits"'
        )
    os.makedirs(out_dir, exist_ok=True)
    parts = [INTRODUCTION]
    for group in dict.fromkeys(row['group'] for row in rows):
        of_group = [row for row in rows if row['group'] == group]
        parts.append(f'## {group}\n')
        for task in dict.fromkeys(row['task'] for row in of_group):
            parts.append(_table([row for row in of_group if row['task'] == task], task))
    parts += _again(done_again(records, runs), rows)
    problems = [f'- {r.work_dir} {r.problem}\n' for r in runs.values() if r.problem]
    if problems:
        parts.append('## Left out\n\n' + ''.join(problems))
    text = '\n'.join(parts)
    with open(osp.join(out_dir, 'digits.md'), 'w', encoding='utf-8') as file:
        file.write(text)
    with open(osp.join(out_dir, 'digits.csv'), 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            lists = {key: ' '.join(map(str, row[key])) for key in ('seeds', 'values')}
            writer.writerow(dict(row, **lists))
    draw_digits(rows, osp.join(out_dir, 'digits.png'))
    return rows, text


def collect_digits(records: Iterable[Record]) -> Rows:
    """Computes the statistics of what is kept, all in percent.

    Args:
        records (Iterable[Record]): The results, at most one for a row and seed.

    Returns:
        list[dict]: A dict for each row and column that there are results of:
        ``group``, ``label`` and ``name`` of the row; ``task`` ('box', 'mask' or
        'accuracy') and ``column``; ``seeds``, of the runs, with the ``values`` in
        their order, ``mean`` and ``std``; then ``difference`` to the plain row, over
        the ``paired`` seeds that both have, with the ends ``low`` and ``high`` of its
        95 % confidence interval, its standard deviation ``std_difference``, and
        ``seeds_needed``, to see a difference of 1 % with a power of 80 %. None stands
        for what the number of runs does not allow.
    """
    by_row: dict[str, list[Record]] = {}
    for record in records:
        by_row.setdefault(record.name, []).append(record)
    results = []
    for row in digits_rows():
        for metric, (task, column) in row.metrics.items():
            values = _values(by_row.get(row.name, ()), metric)
            if not values:
                continue
            plain = _values(by_row.get(row.plain, ()), metric)
            results.append(
                dict(
                    group=row.group,
                    label=row.label,
                    name=row.name,
                    task=task,
                    column=column,
                    seeds=list(values),
                    values=list(values.values()),
                    mean=mean(values.values()),
                    std=stdev(values.values()) if len(values) > 1 else None,
                    **paired_difference(values, {} if row.name == row.plain else plain),
                )
            )
    return results


def _values(records: Iterable[Record], metric: str) -> dict[int, float]:
    """Returns a metric by seed, in percent.

    COCO's is -1 where there are no such objects.
    """
    scale = 100 if metric.startswith('coco/') else 1
    found = {
        record.seed: scale * record.metrics[metric]
        for record in records
        if record.metrics.get(metric, -1) >= 0
    }
    return dict(sorted(found.items()))


def paired_difference(
    values: Mapping[int, float], plain: Mapping[int, float]
) -> dict[str, Any]:
    """Computes the difference of a row to the plain one, paired by the seed.

    Args:
        values (Mapping[int, float]): Results of the row by seed.
        plain (Mapping[int, float]): Those of the plain row.

    Returns:
        dict: ``difference``, ``low``, ``high``, ``std_difference``, ``paired`` and
        ``seeds_needed`` of :func:`collect_digits`.
    """
    keys = ('difference', 'low', 'high', 'std_difference', 'paired', 'seeds_needed')
    result: dict[str, Any] = dict.fromkeys(keys)
    seeds = sorted(set(values) & set(plain))
    if not seeds:
        return result
    ours, theirs = (np.array([row[seed] for seed in seeds]) for row in (values, plain))
    differences = ours - theirs
    result.update(difference=float(differences.mean()), paired=len(seeds))
    if len(seeds) > 1:
        std = float(differences.std(ddof=1))
        low, high = map(float, stats.ttest_rel(ours, theirs).confidence_interval())
        needed = seeds_needed(std, SMALL_DIFFERENCE)
        result.update(low=low, high=high, std_difference=std, seeds_needed=needed)
    return result


def seeds_needed(std: float, difference: float) -> int:
    """Returns how many paired seeds show a difference four times in five.

    That is the smallest number with which a two-sided paired t-test at 5 % has a power
    of 80 % (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988),
    by the noncentral t distribution. The chance to reject on the wrong side, below
    1e-4 then, is left out.

    Args:
        std (float): Standard deviation of the paired differences.
        difference (float): The true mean difference, not zero.
    """
    effect = min(abs(difference) / max(std, 1e-12), 50)  # beyond, scipy's is NaN
    return next(
        seeds
        for seeds in count(2)
        if stats.nct.sf(
            stats.t.ppf(0.975, seeds - 1), seeds - 1, effect * math.sqrt(seeds)
        )
        >= POWER
    )


def _table(rows: Rows, task: str) -> str:
    columns = list(dict.fromkeys(row['column'] for row in rows))
    lines = [[task, *columns, 'seeds', 'needed']]
    differences = []
    for label in dict.fromkeys(row['label'] for row in rows):
        of_label = {row['column']: row for row in rows if row['label'] == label}
        found = [of_label.get(column) for column in columns]
        seeds = max(len(row['seeds']) for row in of_label.values())
        lines.append([label, *map(_value, found), str(seeds), ''])
        first = found[0]
        if first and first['difference'] is not None:
            counts = [str(first['paired']), str(first['seeds_needed'] or '')]
            differences.append([f'{label} - plain', *map(_difference, found), *counts])
    return markdown_table([*lines, *differences]) + '\n'


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


def done_again(records: Iterable[Record], runs: Mapping[tuple[str, int], Run]) -> Rows:
    """Compares finished work directories with what is kept of an earlier run.

    Args:
        records (Iterable[Record]): The results that are kept.
        runs (Mapping): The work directories by name and seed.

    Returns:
        list[dict]: A dict for each run that was repeated from scratch, and for each
        of its first columns: ``name``, ``seed``, ``task``, ``column``, ``kept`` and
        ``again``, in percent.
    """
    again = []
    for record in records:
        run = runs.get((record.name, record.seed))
        if run is None or run.state != 'finished':
            continue
        other = as_record(run, record.seed)
        if other.begun == record.begun:
            continue
        for metric, (task, column) in METRICS.items():
            kept, value = _values([record], metric), _values([other], metric)
            if column == FIRST[task] and kept and value:
                names = dict(name=record.name, seed=record.seed, task=task)
                figures = dict(kept=kept[record.seed], again=value[record.seed])
                again.append(dict(names, column=column, **figures))
    return again


def _again(repeated: Rows, rows: Rows) -> list[str]:
    """Formats the section on runs that were done again, if there are any."""
    if not repeated:
        return []
    spread = {(row['name'], row['task'], row['column']): row['std'] for row in rows}
    cells = [['run', 'of', 'kept', 'again', 'difference', '± of the row']]
    for one in repeated:
        std = spread.get((one['name'], one['task'], one['column']))
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
    table = markdown_table(cells, left_columns=2)
    return ['## Done again from scratch\n', f'{table}\n']


def draw_digits(rows: Rows, out_file: str) -> None:
    """Draws every group: on the left the runs, on the right the differences.

    A line joins the runs of a seed. The bars are the 95 % confidence intervals of
    the difference to plain.

    Args:
        rows (list[dict]): The rows of :func:`collect_digits`.
        out_file (str): The picture to write.
    """
    rows = [row for row in rows if row['column'] == FIRST[row['task']]]
    places = list(dict.fromkeys((row['group'], row['task']) for row in rows))
    size = (12, 3.2 * len(places))
    with figure(out_file, panels=2 * len(places), size=size, columns=2) as panels:
        for index, place in enumerate(places):
            of_place = [row for row in rows if (row['group'], row['task']) == place]
            _draw_runs(panels[2 * index], of_place)
            _draw_differences(panels[2 * index + 1], of_place)


def _draw_runs(axes: Any, rows: Rows) -> None:
    values = [dict(zip(row['seeds'], row['values'])) for row in rows]
    for seed in sorted(set().union(*values)):
        of_seed = [row.get(seed, math.nan) for row in values]  # no line where none was
        axes.plot(of_seed, '.-', color='tab:gray', alpha=0.5, linewidth=0.8)
    for place, row in enumerate(rows):
        axes.errorbar(
            place, row['mean'], row['std'], fmt='o', color='black', capsize=4, zorder=3
        )
    labels = [row['label'] for row in rows]
    turned = dict(rotation=20, ha='right', rotation_mode='anchor')
    axes.set_xticks(range(len(rows)), labels, **turned)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    title = f'{rows[0]["group"]}: {rows[0]["task"]} {rows[0]["column"]} of every run'
    axes.set(title=title, ylabel='percent')


def _draw_differences(axes: Any, rows: Rows) -> None:
    rows = [row for row in rows if row['difference'] is not None]
    for place, row in enumerate(rows):
        half = None if row['low'] is None else row['high'] - row['difference']
        axes.errorbar(
            row['difference'], place, xerr=half, fmt='o', color='tab:red', capsize=4
        )
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row['label'] for row in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)  # of a row alone, too
    axes.set(title='difference to plain, 95 % confidence', xlabel='percent')
