"""The report on rows with several seeds: statistics, tables and a picture."""

import os
import os.path as osp
from collections.abc import Iterable, Mapping
from statistics import mean, stdev
from typing import Any

from ..errors import UserError
from ..visualization import markdown_table
from .kept_results import KeptResults, Record, as_record
from .paired_seeds import SMALL_DIFFERENCE, paired_difference
from .paper_report import left_out, write_csv
from .rows import Row, Study
from .seeds_picture import FIRST, draw_seeds
from .tables import Rows
from .work_dirs import Run, in_percent

INTRODUCTION = f"""\
# The tables on {{title}}

In percent. Mean ± standard deviation over the seeds. Below, the difference to \
plain over the seeds that both have, and its 95 % confidence interval (Student's t, \
paired by seed); it is **bold** where the interval leaves out zero. The last column is \
the number of seeds that show a true difference of {SMALL_DIFFERENCE} % in the first \
column four times in five.
"""


def write_seeds_report(
    study: Study, work_dirs: str, results: str, out_dir: str
) -> tuple[Rows, str]:
    """Writes tables in Markdown and CSV, and a picture, named after the study.

    The results of runs that have finished since are kept first.

    Args:
        study (Study): The rows.
        work_dirs (str): Folder of the work directories; need not exist.
        results (str): Folder of the results that are kept.
        out_dir (str): Gets the files.

    Returns:
        tuple: The rows of :func:`collect_seeds`, and the text in Markdown.

    Raises:
        UserError: If no run is finished.
    """
    study_rows = study.rows()
    kept = KeptResults(results, study_rows)
    runs = kept.keep_finished(work_dirs)
    records = kept.read()
    rows = collect_seeds(study_rows, records)
    if not rows:
        raise UserError(
            f'there are no results of a finished run in {results} or {work_dirs}: '
            f'train some with "run --table {study.name}"'
        )
    parts = [INTRODUCTION.format(title=study.title)]
    for group in dict.fromkeys(row['group'] for row in rows):
        of_group = [row for row in rows if row['group'] == group]
        parts.append(f'## {group}\n')
        for task in dict.fromkeys(row['task'] for row in of_group):
            parts.append(_table([row for row in of_group if row['task'] == task], task))
    parts += _again(study_rows, records, runs, rows)
    parts += left_out(
        [f'{run.work_dir} {run.problem}' for run in runs.values() if run.problem]
    )
    text = '\n'.join(parts)
    os.makedirs(out_dir, exist_ok=True)
    path = osp.join(out_dir, study.name)
    with open(f'{path}.md', 'w', encoding='utf-8') as file:
        file.write(text)
    write_csv(rows, f'{path}.csv', separator=' ')
    draw_seeds(rows, f'{path}.png')
    return rows, text


def collect_seeds(study_rows: Iterable[Row], records: Iterable[Record]) -> Rows:
    """Computes the statistics of what is kept, all in percent.

    Args:
        study_rows (Iterable[Row]): The rows, in the order of the report.
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
    for row in study_rows:
        for metric, (task, column) in row.metrics.items():
            values = _values(by_row.get(row.name, ()), metric)
            if not values:
                continue
            plain = {}
            if row.name != row.plain:
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
                    **paired_difference(values, plain),
                )
            )
    return results


def _values(records: Iterable[Record], metric: str) -> dict[int, float]:
    """Returns a metric by seed, in percent."""
    found = {
        record.seed: value
        for record in records
        if (value := in_percent(record.metrics, metric)) is not None
    }
    return dict(sorted(found.items()))


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


def _again(
    study_rows: Iterable[Row],
    records: Iterable[Record],
    runs: Mapping[tuple[str, int], Run],
    rows: Rows,
) -> list[str]:
    """Formats the runs that were repeated from scratch beside the kept results."""
    metrics = {row.name: row.metrics for row in study_rows}
    spread = {(row['name'], row['task'], row['column']): row['std'] for row in rows}
    lines = []
    for record in records:
        run = runs.get((record.name, record.seed))
        if run is None or run.state != 'finished':
            continue
        again = as_record(run, record.seed)
        for metric, (task, column) in metrics[record.name].items():
            old, new = (in_percent(one.metrics, metric) for one in (record, again))
            if again.begun == record.begun or column != FIRST[task]:
                continue
            if old is not None and new is not None:
                std = spread.get((record.name, task, column))
                name = f'{record.name}, seed {record.seed}'
                figures = [f'{old:.1f}', f'{new:.1f}', f'{new - old:+.1f}']
                spread_text = '-' if std is None else f'{std:.1f}'
                lines.append([name, f'{task} {column}', *figures, spread_text])
    if not lines:
        return []
    heading = ['run', 'of', 'kept', 'again', 'difference', '± of the row']
    table = markdown_table([heading, *lines], left_columns=2)
    return ['## Done again from scratch\n', f'{table}\n']
