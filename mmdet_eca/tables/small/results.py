"""The statistics of the rows."""

from collections.abc import Iterable, Mapping
from statistics import mean, stdev
from typing import Any

from ..runs import METRICS, Run
from .differences import paired_difference, seeds_needed
from .records import Record, as_record
from .rows import SmallRow, small_rows

# What a column of the report is of, and its name, by the metric's name in the logs.
COLUMNS = {
    **{
        f'coco/{task}_{metric}': (title, column)
        for task, title in (('bbox', 'box'), ('segm', 'mask'))
        for column, metric in METRICS.items()
    },
    'top1': ('accuracy', 'top-1'),
    'top5': ('accuracy', 'top-5'),
}
# How many seeds are needed is said for a difference of this, in percent.
SMALL_DIFFERENCE = 1


def collect_small(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The statistics of what is kept, all in percent.

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
    by_row: dict[str, dict[int, Record]] = {}
    for record in records:
        by_row.setdefault(record.name, {})[record.seed] = record
    results = []
    for row in small_rows():
        for metric in row.metrics:
            values = _values(by_row.get(row.name, {}), metric)
            if values:
                plain = _values(by_row.get(row.plain, {}), metric)
                results.append(_result(row, metric, values, plain))
    return results


def _values(records: Mapping[int, Record], metric: str) -> dict[int, float]:
    """A metric by seed, in percent; COCO's is -1 where there are no such objects."""
    scale = 100 if metric.startswith('coco/') else 1
    found = {
        seed: scale * record.metrics[metric]
        for seed, record in records.items()
        if record.metrics.get(metric, -1) >= 0
    }
    return dict(sorted(found.items()))


def _result(
    row: SmallRow, metric: str, values: dict[int, float], plain: dict[int, float]
) -> dict[str, Any]:
    task, column = COLUMNS[metric]
    several = len(values) > 1
    result: dict[str, Any] = dict(
        group=row.group,
        label=row.label,
        name=row.name,
        task=task,
        column=column,
        seeds=list(values),
        values=list(values.values()),
        mean=mean(values.values()),
        std=stdev(values.values()) if several else None,
    )
    gain = None if row.name == row.plain else paired_difference(values, plain)
    return dict(
        result,
        difference=gain and gain.mean,
        low=gain and gain.low,
        high=gain and gain.high,
        std_difference=gain and gain.std,
        paired=gain and gain.seeds,
        seeds_needed=gain
        and (None if gain.std is None else seeds_needed(gain.std, SMALL_DIFFERENCE)),
    )


def done_again(
    records: Iterable[Record], runs: Mapping[tuple[str, int], Run]
) -> list[dict[str, Any]]:
    """Compares finished work directories with what is kept of an earlier run.

    Args:
        records (Iterable[Record]): The results that are kept.
        runs (Mapping): The work directories by name and seed.

    Returns:
        list[dict]: A dict for each run that was done again from nothing, and for each
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
        for metric in ('coco/bbox_mAP', 'coco/segm_mAP', 'top1'):
            kept, value = (
                _values({record.seed: one}, metric).get(record.seed)
                for one in (record, other)
            )
            if kept is not None and value is not None:
                task, column = COLUMNS[metric]
                names = dict(name=record.name, seed=record.seed, task=task)
                again.append(dict(names, column=column, kept=kept, again=value))
    return again


def first_column(task: str) -> str:
    """The column that a task is judged by."""
    return next(column for title, column in COLUMNS.values() if title == task)


def problems(runs: Mapping[tuple[str, int], Run]) -> list[str]:
    """Says of each work directory that is not finished why it does not count."""
    return [f'{run.work_dir} {run.problem}' for run in runs.values() if run.problem]
