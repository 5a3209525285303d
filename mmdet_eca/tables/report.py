"""Collects the finished runs and writes the tables with what was measured."""

import csv
import os
import os.path as osp
import re
from statistics import mean, stdev
from typing import Any, Dict, List, Optional

from .columns import count_row
from .pictures import draw_ap, draw_gains, draw_training
from .rows import COLUMNS, DETECTORS, FIGURES, TASKS, Row, load_rows
from .runs import Run, find_runs

BLOCK = re.compile('_(eca|se|gc|nl)(?=_)')


def collect(runs: List[Run]) -> List[Dict[str, Any]]:
    """What was measured, row by row.

    Args:
        runs (list[Run]): All runs that were found.

    Returns:
        list[dict]: First the rows of Tables 5 and 6, then, with ``table``
        None, what else was trained. Each has the fields of paper_tables.json
        with the mean over the row's finished ``runs`` in percent (None
        without one), ``std_AP`` if there are several, the paper's figures as
        ``paper_...``, ``gain_...`` over the plain row of the same code and
        ``problems``.
    """
    by_name: Dict[str, List[Run]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    cost = {}
    results = []
    for row in load_rows():
        own = by_name.get(row.name, [])
        if own and row.name not in cost:
            cost[row.name] = count_row(row)
        results.append(_of_paper(row, own, cost.get(row.name, {})))
    known = {result['name'] for result in results}
    for name in by_name:
        if name not in known:
            results += _of_others(name, by_name[name])
    _add_gains(results)
    return results


def _of_paper(row: Row, runs: List[Run], cost: Dict) -> Dict[str, Any]:
    result = dict(
        row.describe(),
        task=TASKS[row.table],
        params_m=cost.get('params_m'),
        gflops=cost.get('gflops'),
    )
    result.update(_measure(runs, TASKS[row.table]))
    result.update({f'paper_{name}': row.paper[name] for name in FIGURES})
    return dict(result, source=row.paper['source'], unconfirmed=row.unconfirmed)


def _of_others(name: str, runs: List[Run]) -> List[Dict[str, Any]]:
    block = BLOCK.search(name)
    cfg = runs[0].cfg
    tasks = sorted({task for run in runs for task in run.tasks}) or ['bbox']
    return [
        dict(
            name=name,
            table=None,
            detector=cfg.model.type,
            depth=(cfg.model.get('backbone') or {}).get('depth'),
            attention=block and block[1],
            task=task,
            params_m=None,
            gflops=None,
            **_measure(runs, task),
        )
        for task in tasks
    ]


def _measure(runs: List[Run], task: str) -> Dict[str, Any]:
    """Means over the finished runs; the others' problems by name."""
    finished = [run for run in runs if run.state == 'finished' and task in run.tasks]
    measured = [run.columns(task) for run in finished]
    result: Dict[str, Any] = {}
    for column in COLUMNS:
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


def _add_gains(results: List[Dict[str, Any]]) -> None:
    by_key = {(r['name'], r['task']): r for r in results}
    for result in results:
        plain = by_key.get((BLOCK.sub('', result['name']), result['task']), {})
        for column in COLUMNS:
            for prefix in ('', 'paper_'):
                result[f'{prefix}gain_{column}'] = _difference(
                    result, plain if result['attention'] else {}, prefix + column
                )


def _difference(result: Dict, plain: Dict, key: str) -> Optional[float]:
    if result.get(key) is None or plain.get(key) is None:
        return None
    return round(result[key] - plain[key], 2)


def write_report(work_dirs: str, out_dir: str) -> List[Dict[str, Any]]:
    """Writes ``tables.md``, ``tables.csv`` and the pictures.

    Args:
        work_dirs (str): Folder of the work directories, at any depth.
        out_dir (str): Gets the files.

    Returns:
        list[dict]: What :func:`collect` gives.

    Raises:
        UserError: If there is no folder ``work_dirs``.
    """
    runs = find_runs(work_dirs)
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


def format_report(results: List[Dict[str, Any]]) -> str:
    """The tables in Markdown, and what was left out."""
    parts = [
        '# Tables 5 and 6 of ECA-Net\n',
        'Measured with this code (in brackets: the paper), COCO val2017, '
        'percent. "?" marks a figure of the paper that is not confirmed. The '
        'gain is over the plain row of the same code; MMDetection 3.x trains '
        'its plain detectors better than 1.x, with which the paper trained.\n',
    ]
    for table, task in ((5, 'box'), (6, 'mask'), (None, '')):
        rows = [result for result in results if result['table'] == table]
        if rows:
            title = (
                f'Table {table}: {task} AP'
                if table
                else 'Not in the paper: other runs, on their own data'
            )
            parts += [f'## {title}\n', _markdown(rows)]
    problems = [
        problem
        for problem in dict.fromkeys(
            problem for result in results for problem in result['problems']
        )
    ]
    if problems:
        parts += ['## Left out\n', ''.join(f'- {p}\n' for p in problems)]
    return '\n'.join(parts)


def _markdown(rows: List[Dict[str, Any]]) -> str:
    header = ('', '', '#Param', 'GFLOPs', *COLUMNS, 'gain', 'runs')
    lines = [header, ('---',) * len(header)]
    for row in rows:
        title = f'{row["name"]}, {row["task"]}'
        if row['table']:
            title = f'{DETECTORS[row["detector"]]} R{row["depth"]}'
        spread = '' if row['std_AP'] is None else f' ±{row["std_AP"]:.1f}'
        lines.append(
            (
                title,
                row['attention'] or 'plain',
                _cell(row, 'params_m', '.2f'),
                _cell(row, 'gflops', '.2f'),
                *(
                    _cell(row, column, '.1f', spread if column == 'AP' else '')
                    for column in COLUMNS
                ),
                _cell(row, 'gain_AP', '+.1f'),
                str(len(row['runs'])),
            )
        )
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def _cell(row: Dict, name: str, form: str, spread: str = '') -> str:
    ours = row.get(name)
    paper = row.get('paper_' + name)
    text = '-' if ours is None else f'{ours:{form}}{spread}'
    if paper is not None:
        mark = '?' if name.replace('gain_', '') in row['unconfirmed'] else ''
        text += f' ({paper:{form}}{mark})'
    return text
