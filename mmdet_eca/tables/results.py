"""The results of the runs beside the figures of the paper."""

import re
from statistics import mean, stdev
from typing import Any

from .detectors import count_row
from .paper_rows import AP_COLUMNS, COLUMNS, TASKS, PaperRow, load_paper_rows
from .runs import Run

# The part of a config's name that says which attention it has.
ATTENTION = re.compile('_(eca|se|gc|nl)(?=_)')


def collect(runs: list[Run]) -> list[dict[str, Any]]:
    """Puts what was measured beside the paper's figures, row by row.

    Args:
        runs (list[Run]): All runs that were found.

    Returns:
        list[dict]: First the rows of Tables 5 and 6, then, with ``table``
        None, what else was trained. Each has the fields of paper_tables.json:
        AP is the mean over the row's finished ``runs`` in percent, None without
        one. ``std_AP`` is their standard deviation, None unless there are
        several. ``paper_...`` are the paper's figures, ``gain_...`` the gains
        over the plain row of the same code, ``problems`` says why other runs do
        not count.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    cost = {}
    results = []
    for row in load_paper_rows():
        runs_of_row = by_name.get(row.name, [])
        if runs_of_row and row.name not in cost:
            cost[row.name] = count_row(row)
        results.append(_paper_result(row, runs_of_row, cost.get(row.name, {})))
    known = {result['name'] for result in results}
    for name in by_name:
        if name not in known:
            results += _other_results(name, by_name[name])
    _add_gains(results)
    return results


def _paper_result(row: PaperRow, runs: list[Run], cost: dict) -> dict[str, Any]:
    """The result of a row of the paper; ``cost`` is empty if nothing was trained."""
    result = dict(
        row.fields(),
        task=TASKS[row.table],
        params_m=cost.get('params_m'),
        gflops=cost.get('gflops'),
    )
    result.update(_measure(runs, TASKS[row.table]))
    result.update({f'paper_{name}': row.paper[name] for name in COLUMNS})
    return dict(result, source=row.paper['source'], unconfirmed=row.unconfirmed)


def _other_results(name: str, runs: list[Run]) -> list[dict[str, Any]]:
    """The results of runs of a config that is in no table, one a task."""
    attention = ATTENTION.search(name)
    cfg = runs[0].cfg
    tasks = sorted({task for run in runs for task in run.tasks}) or ['bbox']
    return [
        dict(
            name=name,
            table=None,
            detector=cfg.model.type,
            depth=(cfg.model.get('backbone') or {}).get('depth'),
            attention=attention and attention[1],
            task=task,
            params_m=None,
            gflops=None,
            **_measure(runs, task),
        )
        for task in tasks
    ]


def _measure(runs: list[Run], task: str) -> dict[str, Any]:
    """Means over the finished runs of a row, and the problems of the others."""
    finished = [run for run in runs if run.state == 'finished' and task in run.tasks]
    measured: list[dict[str, Any]] = [run.ap(task) for run in finished]
    result: dict[str, Any] = {}
    for column in AP_COLUMNS:
        values = [m[column] for m in measured if m[column] is not None]
        result[column] = round(mean(values), 2) if values else None
    result['std_AP'] = (
        round(stdev(m['AP'] for m in measured), 2) if measured[1:] else None
    )
    return dict(
        result,
        runs=[run.work_dir for run in finished],
        problems=[f'{run.work_dir} {run.problem}' for run in runs if run.problem],
    )


def _add_gains(results: list[dict[str, Any]]) -> None:
    """Adds the gain of each row with attention over the row without."""
    by_key = {(r['name'], r['task']): r for r in results}
    for result in results:
        plain = by_key.get((ATTENTION.sub('', result['name']), result['task']), {})
        for column in AP_COLUMNS:
            for prefix in ('', 'paper_'):
                result[f'{prefix}gain_{column}'] = _difference(
                    result, plain if result['attention'] else {}, prefix + column
                )


def _difference(result: dict, plain: dict, key: str) -> float | None:
    if result.get(key) is None or plain.get(key) is None:
        return None
    return round(result[key] - plain[key], 2)
