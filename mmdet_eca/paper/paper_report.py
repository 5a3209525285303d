"""The report on the paper's tables: the runs that are there, beside its figures."""

import csv
import os
import os.path as osp
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from ..visualization import markdown_table
from .detector_counts import count_row
from .imagenet_counts import TICKS, count_classifier, tick_table_rows
from .paper_pictures import draw_ap, draw_figure_1, draw_figure_4, draw_training
from .paper_rows import (
    AP_COLUMNS,
    COLUMNS,
    DETECTOR_TABLES,
    DETECTORS,
    FIGURES,
    TABLES,
    TASKS,
    UNITS,
    ClassifierRow,
    chosen,
    imagenet_rows,
    load_paper_rows,
    select_experiments,
)
from .work_dirs import Run, find_runs

Rows = list[dict[str, Any]]
# The part of a config's name that says which attention it has.
ATTENTION = re.compile('_(eca|se|gc|nl)(?=_)')
TOP_COLUMNS = ('top1', 'top5')
# Of the tables: heading, key and format of a cell.
DETECTOR_COLUMNS = {
    '#Param': ('params_m', '.2f'),
    'GFLOPs': ('gflops', '.2f'),
    **{column: (column, '.1f') for column in AP_COLUMNS},
    'gain': ('gain_AP', '+.1f'),
}
CLASSIFIER_COLUMNS = {
    'weights': ('paper_weights', 's'),
    '#Param': ('params', '.2f'),
    'FLOPs': ('flops', '.2f'),
    'images/s': ('train_fps', '.0f'),
    'top-1': ('top1', '.2f'),
    'top-5': ('top5', '.2f'),
    'gain': ('gain_top1', '+.2f'),
}
TITLES = {
    (1, None): 'Table 1: what each attention is like',
    (2, None): 'Table 2: members of the attention family in ResNet-50',
    (3, None): 'Table 3: classifiers, and from the poster ResNet-18 and -34',
    (4, None): 'Table 4: other networks',
    (5, None): 'Table 5: box AP',
    (6, None): 'Table 6: mask AP',
    (None, 1): 'Figure 1: accuracy, parameters and FLOPs',
    (None, 4): "Figure 4: ECA's kernel size",
    (None, None): 'Not in the paper: other runs, on their own data',
}
DETECTOR_NOTES = """\
# Tables 5 and 6 of ECA-Net

Measured with this code (in brackets: the paper), COCO val2017, percent. "?" marks a \
figure of the paper that is not confirmed. The gain is over the plain row of the same \
code; MMDetection 3.x trains its plain detectors better than 1.x, with which the paper \
trained.
"""
IMAGENET_NOTES = """\
# ImageNet

Measured with this code after the last epoch (in brackets: the paper), one crop of \
the validation images, percent. "?" marks what was read off a picture of the figure, \
+-0.01. The gain is over the plain network by the same code. #Param and FLOPs are in \
the units beside them, of which the paper mixes two in a column; images/s are in \
training, the paper's on four RTX 2080 Ti.
"""


def write_report(
    work_dirs: str,
    out_dir: str,
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
) -> Rows:
    """Writes ``tables.md``, tables as CSV and the pictures.

    The CSV file of detectors is ``tables.csv``, that of ImageNet ``imagenet.csv``.

    Args:
        work_dirs (str): Folder of the work directories, at any depth.
        out_dir (str): Gets the files.
        tables (Sequence[int], optional): Numbers of tables.
        figures (Sequence[int], optional): Numbers of figures. Without tables and
            figures, Tables 5 and 6 are meant.

    Returns:
        list[dict]: The rows of :func:`collect_detectors`, then those of
        :func:`collect_classifiers`.

    Raises:
        UserError: If there is no folder ``work_dirs``.
    """
    tables, figures = chosen(tables, figures)
    runs = find_runs(work_dirs)
    os.makedirs(out_dir, exist_ok=True)

    def path(name: str) -> str:
        return osp.join(out_dir, name)

    detectors: Rows = []
    classifiers: Rows = []
    if set(tables) & set(DETECTOR_TABLES):
        found = [run for run in runs if not run.is_classifier]
        detectors = collect_detectors(found, tables)
        _write_csv(detectors, path('tables.csv'))
        draw_ap(detectors, path('ap.png'))
        draw_training(found, path('training.png'), 'coco/bbox_mAP', 100, 'box AP')
    if figures or set(tables) - set(DETECTOR_TABLES):
        found = [run for run in runs if run.is_classifier]
        classifiers = collect_classifiers(found, tables, figures)
        _write_csv(classifiers, path('imagenet.csv'))
        if found:
            draw_training(found, path('imagenet_training.png'), 'top1', 1, 'top-1')
        for number, draw in ((1, draw_figure_1), (4, draw_figure_4)):
            points = [row for row in classifiers if row['figure'] == number]
            if points:
                draw(points, path(f'figure{number}.png'))
    results = detectors + classifiers
    with open(path('tables.md'), 'w', encoding='utf-8') as file:
        file.write(format_report(results))
    return results


def _write_csv(results: Rows, path: str) -> None:
    columns = list(dict.fromkeys(key for row in results for key in row))
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in results:
            lists = {k: '; '.join(v) for k, v in row.items() if isinstance(v, list)}
            writer.writerow(row | lists)


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
    cost = {
        row.name: count_row(row)
        for row in load_paper_rows()
        if row.table == 5 and row.name in by_name
    }
    results: Rows = []
    for row in load_paper_rows():
        if row.table not in tables:
            continue
        task = TASKS[row.table]
        counts: dict[str, Any] = dict(params_m=None, gflops=None)
        counts.update(cost.get(row.name, {}))
        paper = {f'paper_{name}': row.paper[name] for name in COLUMNS}
        results.append(
            dict(row.fields(), figure=None, task=task, **counts)
            | _measure(by_name.get(row.name, ()), AP_COLUMNS, task)
            | paper
            | dict(source=row.paper['source'], unconfirmed=row.unconfirmed)
        )
    known = {row.name for row in load_paper_rows()}
    for name, others in by_name.items():
        if name not in known:
            results += _other_detectors(name, others)
    for result in results:
        plain = ATTENTION.sub('', result['name']) if result['attention'] else None
        key = plain, result['task']
        base = [other for other in results if (other['name'], other['task']) == key]
        _add_gains(result, base[0] if base else {}, AP_COLUMNS)
    return results


def _other_detectors(name: str, runs: Sequence[Run]) -> Rows:
    """Returns the results of a config that is in no table, one for each task."""
    attention = ATTENTION.search(name)
    cfg = runs[0].cfg
    tasks = sorted({task for run in runs for task in run.tasks}) or ['bbox']
    return [
        dict(
            name=name,
            table=None,
            figure=None,
            detector=cfg.model.type,
            depth=(cfg.model.get('backbone') or {}).get('depth'),
            attention=attention and attention[1],
            task=task,
            params_m=None,
            gflops=None,
            unconfirmed=[],
            **_measure(runs, AP_COLUMNS, task),
        )
        for task in tasks
    ]


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
    paper = {row.name: row.top1 for row in imagenet_rows([3])}
    results: Rows = []
    if 1 in tables:
        results += [dict(row, figure=None) for row in tick_table_rows()]
    for row in imagenet_rows(tables, figures):
        result = _classifier_result(row, by_name)
        if row.table in (2, 3):
            plain = row.name.rsplit('_', 1)[-1]
            base: dict[str, Any] = {}
            if plain != row.name:
                measured = _measure(by_name.get(plain, ()), TOP_COLUMNS)
                base = dict(top1=measured['top1'], paper_top1=paper[plain])
            _add_gains(result, base, ('top1',))
        results.append(result)
    known = {experiment.name for experiment in select_experiments(TABLES, FIGURES)}
    for name, others in by_name.items():
        if name not in known:
            measured = _measure(others, TOP_COLUMNS)
            names = dict(table=None, figure=None, name=name)
            results.append(dict(names, method=name, unconfirmed=[], **measured))
    return results


def _classifier_result(
    row: ClassifierRow, by_name: Mapping[str, Sequence[Run]]
) -> dict[str, Any]:
    runs = by_name.get(row.name, ())
    keys = ('table', 'figure', 'name', 'method', 'backbone', 'kernel_size')
    result = {key: getattr(row, key) for key in (*keys, 'sources', 'note')}
    result.update(_measure(runs, TOP_COLUMNS))
    result.update({f'paper_{name}': value for name, value in row.paper().items()})
    result['name'] = row.name or None
    result['unconfirmed'] = ['top1'] if row.sources == ['measured'] else []
    if row.params is not None:
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


def _measure(
    runs: Sequence[Run], columns: Sequence[str], task: str | None = None
) -> dict[str, Any]:
    """Returns means over a row's finished runs, and the problems of the others.

    The first column has its standard deviation, too. ``task`` is a detector's.
    """
    finished = [run for run in runs if run.state == 'finished']
    if task:
        finished = [run for run in finished if task in run.tasks]
    measured: list[Mapping[str, Any]] = [
        run.ap(task) if task else run.metrics for run in finished
    ]
    result: dict[str, Any] = {}
    for column in columns:
        values = [m[column] for m in measured if m.get(column) is not None]
        result[column] = round(mean(values), 2) if values else None
        if column == columns[0]:
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
    row: dict[str, Any], plain: Mapping[str, Any], columns: Sequence[str]
) -> None:
    """Adds the gain of each column over the plain row, and the paper's."""
    for column in columns:
        for prefix in ('', 'paper_'):
            pair: list[Any] = [r.get(prefix + column) for r in (row, plain)]
            gain = None if None in pair else round(pair[0] - pair[1], 2)
            row[f'{prefix}gain_{column}'] = gain


def format_report(results: Rows) -> str:
    """Formats the tables in Markdown, and the reasons why runs were left out."""
    detectors = [row for row in results if 'detector' in row]
    classifiers = [row for row in results if 'detector' not in row]
    parts = []
    for notes, rows in ((DETECTOR_NOTES, detectors), (IMAGENET_NOTES, classifiers)):
        parts += [notes] if rows else []
        for place, title in TITLES.items():
            of_place = [row for row in rows if (row['table'], row['figure']) == place]
            if of_place:
                parts += [f'## {title}\n', *_section(of_place)]
    problems = dict.fromkeys(p for row in results for p in row.get('problems', ()))
    if problems:
        parts += ['## Left out\n', ''.join(f'- {problem}\n' for problem in problems)]
    return '\n'.join(parts)


def _section(rows: Rows) -> list[str]:
    """Formats a table or figure of the paper."""
    table, figure = rows[0]['table'], rows[0]['figure']
    picture = [f'![Figure {figure}](figure{figure}.png)\n'] if figure else []
    if 'detector' in rows[0]:
        return [_detector_table(rows)]
    if figure == 1:
        return [*picture, 'The rows are in Table 3.\n']
    notes = [
        f'- {row["method"]}{", " if row["backbone"] else ""}{row["backbone"] or ""}: '
        f'{row["note"]}\n'
        for row in rows
        if row.get('note')
    ]
    form: Callable[[Rows], str] = _classifier_table
    if table == 1:
        form = _tick_table
    elif figure == 4:
        form = _kernel_size_table
    return [*picture, form(rows), *([''.join(notes)] if notes else [])]


def cell(row: dict[str, Any], key: str, form: str) -> str:
    """Formats what was measured, and in brackets the paper's figure.

    Args:
        row (dict): A result.
        key (str): Its key; that of the paper's figure begins with ``paper_``.
        form (str): Format of both.

    Returns:
        str: '-' for what was not measured; '?' after what is not confirmed.
    """
    measured, paper = row.get(key), row.get(f'paper_{key}')
    text = '-' if measured is None else f'{measured:{form}}'
    if row.get(f'std_{key}') is not None:
        text += f' ±{row[f"std_{key}"]:{form}}'
    if paper is not None:
        mark = '?' if key.replace('gain_', '') in row['unconfirmed'] else ''
        text += f' ({paper:{form}}{mark})'
    unit = row.get(f'{key}_unit')
    return f'{text} {unit}' if unit else text


def _detector_table(rows: Rows) -> str:
    cells = [['', '', *DETECTOR_COLUMNS, 'runs']]
    for row in rows:
        title = f'{row["name"]}, {row["task"]}'
        if row['table']:
            title = f'{DETECTORS[row["detector"]]} R{row["depth"]}'
        figures = (cell(row, *column) for column in DETECTOR_COLUMNS.values())
        attention = row['attention'] or 'plain'
        cells.append([title, attention, *figures, str(len(row['runs']))])
    return markdown_table(cells, left_columns=2) + '\n'


def _classifier_table(rows: Rows) -> str:
    columns = {
        title: (key, form)
        for title, (key, form) in CLASSIFIER_COLUMNS.items()
        if any((row.get(key), row.get(f'paper_{key}')) != (None, None) for row in rows)
    }
    named = any(row.get('backbone') for row in rows)
    cells = [['', *(['backbone'] if named else []), *columns, 'runs']]
    for row in rows:
        backbone = [row['backbone']] if named else []
        figures = (cell(row, *column) for column in columns.values())
        cells.append([row['method'], *backbone, *figures, str(len(row['runs']))])
    return markdown_table(cells, left_columns=1 + named) + '\n'


def _tick_table(rows: Rows) -> str:
    cells = [
        ['', 'no reduction', 'cross-channel interaction', 'lightweight', 'weights']
    ]
    words = {True: 'yes', False: 'no', None: '-'}
    for row in rows:
        ticks = [words[row[f'paper_{tick}']] for tick in TICKS]
        cells.append([row['model'], *ticks, f'{row["weights"]:,}'])
    return markdown_table(cells) + '\n'


def _kernel_size_table(rows: Rows) -> str:
    sizes = list(dict.fromkeys(row['kernel_size'] for row in rows))
    titles = ['SENet' if size is None else f'k = {size}' for size in sizes]
    cells = [['top-1', *titles]]
    for backbone in dict.fromkeys(row['backbone'] for row in rows):
        of_size = {r['kernel_size']: r for r in rows if r['backbone'] == backbone}
        cells.append(
            [backbone, *(cell(of_size[size], 'top1', '.2f') for size in sizes)]
        )
    return markdown_table(cells) + '\n'
