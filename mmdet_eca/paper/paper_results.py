"""Results of the runs of the paper's rows, beside its figures."""

import re
from collections.abc import Collection, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from .attention_counts import tick_table_rows
from .classifier_counts import count_classifier
from .detector_counts import detector_columns
from .paper_rows import (
    AP_COLUMNS,
    DETECTOR_FIGURES,
    DETECTOR_TABLES,
    UNITS,
    PaperRow,
    paper_rows,
)
from .tables import Rows
from .trainings import paper_trainings
from .work_dirs import METRICS, Run, in_percent

TASKS = {5: 'bbox', 6: 'segm'}  # the task whose AP a table has
# The part of a config's name that says which attention it has.
ATTENTION = re.compile('_(eca|se|gc|nl)(?=_)')
ACCURACY = {'top1': 'top1', 'top5': 'top5'}


def collect_detectors(
    runs: Collection[Run], tables: Collection[int] = DETECTOR_TABLES
) -> Rows:
    """Puts the AP that was measured beside the paper's, row by row.

    Args:
        runs (Collection[Run]): All runs of detectors that were found.
        tables (Collection[int]): 5, 6 or both.

    Returns:
        list[dict]: First the rows of the tables, then, with ``table`` None, what else
        was trained. Each has the fields of paper_tables.json: AP is the mean over the
        row's finished ``runs`` in percent, None without one. ``std_AP`` is their
        standard deviation, None unless there are several. ``paper_...`` are the
        paper's figures, ``gain_...`` the gains over the plain row of the same code,
        ``problems`` says why other runs do not count.
    """
    by_name = _by_name(runs)
    rows = paper_rows(set(tables) & set(DETECTOR_TABLES))
    paper = {(row.name, row.table): row.paper for row in rows}
    results: Rows = []
    for row in rows:
        cost = detector_columns(row.name) if row.name in by_name else {}
        figures = {f'paper_{name}': row.paper.get(name) for name in DETECTOR_FIGURES}
        result = dict(row.fields(), task=TASKS[row.table or 5], source=row.source)
        counts = dict(params_m=None, gflops=None)
        results.append({**result, **counts, **cost, **figures})
    known = {row.name for row in paper_rows(DETECTOR_TABLES)}
    for name, others in by_name.items():
        if name not in known:
            results += _other_detectors(name, others)
    for result in results:
        metrics = {c: f'coco/{result["task"]}_{METRICS[c]}' for c in AP_COLUMNS}
        result.update(figure=None, unconfirmed=[])
        result.update(_measure(by_name.get(result['name'], ()), metrics))
        plain = ATTENTION.sub('', result['name']) if result['attention'] else ''
        base = _measure(by_name.get(plain, ()), metrics)
        _add_gains(result, base, paper.get((plain, result['table']), {}), AP_COLUMNS)
    return results


def _other_detectors(name: str, runs: Sequence[Run]) -> Rows:
    """Returns the rows of a config that is in no table, one for each task."""
    attention = ATTENTION.search(name)
    cfg = runs[0].cfg
    row = dict(
        name=name,
        table=None,
        detector=cfg.model.type,
        depth=(cfg.model.get('backbone') or {}).get('depth'),
        attention=attention and attention[1],
        params_m=None,
        gflops=None,
    )
    metrics = {metric for run in runs for metric in run.metrics}
    tasks = [task for task in TASKS.values() if f'coco/{task}_mAP' in metrics]
    return [dict(row, task=task) for task in tasks or ['bbox']]


def collect_classifiers(
    runs: Collection[Run], tables: Collection[int], figures: Collection[int]
) -> Rows:
    """Puts the accuracies that were measured beside the paper's, row by row.

    What counts of a run is the evaluation after its last epoch.

    Args:
        runs (Collection[Run]): All runs of classifiers that were found.
        tables (Collection[int]): Numbers of tables, of 1 to 4.
        figures (Collection[int]): Numbers of figures, 1 and 4.

    Returns:
        list[dict]: A dict a row of each table and a point of each figure, and
        last, with ``table`` and ``figure`` None, what else was trained. top1 and
        top5 are means over the row's finished ``runs`` in percent, None without
        one, and ``std_top1`` their standard deviation, None unless there are
        several; ``gain_top1`` is the gain over the plain network by the same
        code. ``params`` and ``flops`` are counted in the units beside them, if
        there is a run. ``paper_...`` are the paper's figures, ``unconfirmed``
        names those that were read off a picture, ``problems`` says why other
        runs do not count. Rows of Table 1 are those of :func:`tick_table_rows`.
    """
    by_name = _by_name(runs)
    paper = {row.name: row.paper for row in paper_rows([3])}
    results: Rows = []
    if 1 in tables:
        results += [dict(row, figure=None) for row in tick_table_rows()]
    for row in paper_rows(set(tables) & {2, 3, 4}, figures):
        result = _classifier_result(row, by_name)
        if row.table in (2, 3):
            plain = row.name.rsplit('_', 1)[-1]
            plain = '' if plain == row.name else plain
            base = _measure(by_name.get(plain, ()), ACCURACY)
            _add_gains(result, base, paper.get(plain, {}), ('top1',))
        results.append(result)
    known = {row.name for row in paper_trainings((2, 3, 4), (1, 4))}
    for name, others in by_name.items():
        if name not in known:
            row_of_run = dict(table=None, figure=None, name=name, method=name)
            found = _measure(others, ACCURACY)
            results.append(dict(row_of_run, unconfirmed=[], **found))
    return results


def _classifier_result(
    row: PaperRow, by_name: Mapping[str, Sequence[Run]]
) -> dict[str, Any]:
    runs = by_name.get(row.name, ())
    keys = ('table', 'figure', 'method', 'backbone', 'kernel_size', 'sources', 'note')
    result: dict[str, Any] = dict(
        {key: getattr(row, key) for key in keys},
        name=row.name or None,
        unconfirmed=['top1'] if row.sources == ['measured'] else [],
        **_measure(runs, ACCURACY),
        **{f'paper_{name}': figure for name, figure in row.paper.items()},
    )
    if 'params' in row.paper:
        result.update(params_unit=row.params_unit, flops_unit=row.flops_unit)
        result.update(params=None, flops=None)
        if runs:
            cost = count_classifier(row.name)
            result['params'] = round(cost.parameters / UNITS[row.params_unit], 3)
            result['flops'] = round(cost.operations / UNITS[row.flops_unit], 3)
    return result


def _by_name(runs: Collection[Run]) -> dict[str, list[Run]]:
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return by_name


def _measure(runs: Sequence[Run], metrics: Mapping[str, str]) -> dict[str, Any]:
    """Returns means over a row's finished runs, and the problems of the others.

    Args:
        runs (Sequence[Run]): All runs of the row.
        metrics (Mapping[str, str]): The metrics in the logs by column. The first
            column has its standard deviation, too.
    """
    first = next(iter(metrics))
    finished = [
        run for run in runs if run.state == 'finished' and metrics[first] in run.metrics
    ]
    result: dict[str, Any] = {}
    for column, metric in metrics.items():
        found = [in_percent(run.metrics, metric) for run in finished]
        values = [percent for percent in found if percent is not None]
        result[column] = round(mean(values), 2) if values else None
        if column == first:
            spread = round(stdev(values), 2) if len(values) > 1 else None
            result[f'std_{column}'] = spread
    speeds = [
        run.gpus * run.cfg.train_dataloader.batch_size / time
        for run in finished
        if run.gpus and (time := run.step_time())
    ]
    return dict(
        result,
        train_fps=round(mean(speeds)) if speeds else None,
        runs=[run.work_dir for run in finished],
        problems=[f'{run.work_dir} {run.problem}' for run in runs if run.problem],
    )


def _add_gains(
    row: dict[str, Any],
    plain: Mapping[str, Any],
    paper: Mapping[str, Any],
    columns: Sequence[str],
) -> None:
    """Adds the gain of each column over the plain row, and the paper's."""
    for column in columns:
        for prefix, base in (('', plain), ('paper_', paper)):
            pair: list[Any] = [row.get(prefix + column), base.get(column)]
            gain = None if None in pair else round(pair[0] - pair[1], 2)
            row[f'{prefix}gain_{column}'] = gain
