"""The report on the paper's tables: the runs that are there, beside its figures."""

import csv
import os
import os.path as osp
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..visualization import markdown_table
from .paper_pictures import draw_ap, draw_figure_1, draw_figure_4, draw_training
from .paper_results import collect_classifiers, collect_detectors
from .paper_rows import AP_COLUMNS, DETECTOR_TABLES, DETECTORS, TICKS, chosen
from .tables import Cell, Rows, cells, measured, value
from .work_dirs import find_runs

DETECTOR_COLUMNS = [
    ('#Param', measured('params_m', '.2f')),
    ('GFLOPs', measured('gflops', '.2f')),
    *((column, measured(column, '.1f')) for column in AP_COLUMNS),
    ('gain', measured('gain_AP', '+.1f')),
]
# Of classifiers: heading, key and format.
CLASSIFIER_COLUMNS = (
    ('weights', 'paper_weights', 's'),
    ('#Param', 'params', '.2f'),
    ('FLOPs', 'flops', '.2f'),
    ('images/s', 'train_fps', '.0f'),
    ('top-1', 'top1', '.2f'),
    ('top-5', 'top5', '.2f'),
    ('gain', 'gain_top1', '+.2f'),
)
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

Measured with this code (in brackets: the paper), COCO val2017, percent. The gain is \
over the plain row of the same code; MMDetection 3.x trains its plain detectors better \
than 1.x, with which the paper trained.
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

    results: Rows = []
    if set(tables) & set(DETECTOR_TABLES):
        found = [run for run in runs if not run.is_classifier]
        results = collect_detectors(found, tables)
        write_csv(results, path('tables.csv'))
        draw_ap(results, path('ap.png'))
        draw_training(found, path('training.png'), 'coco/bbox_mAP', 'box AP')
    if figures or set(tables) - set(DETECTOR_TABLES):
        found = [run for run in runs if run.is_classifier]
        classifiers = collect_classifiers(found, tables, figures)
        write_csv(classifiers, path('imagenet.csv'))
        if found:
            draw_training(found, path('imagenet_training.png'), 'top1', 'top-1')
        for number, draw in ((1, draw_figure_1), (4, draw_figure_4)):
            if points := [row for row in classifiers if row['figure'] == number]:
                draw(points, path(f'figure{number}.png'))
        results = results + classifiers
    with open(path('tables.md'), 'w', encoding='utf-8') as file:
        file.write(format_report(results))
    return results


def write_csv(rows: Rows, path: str, separator: str = '; ') -> None:
    """Writes rows with all their keys; lists are joined by the separator."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            lists = {
                key: separator.join(map(str, values))
                for key, values in row.items()
                if isinstance(values, (list, tuple))
            }
            writer.writerow(row | lists)


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
    return '\n'.join([*parts, *left_out(problems)])


def left_out(problems: Collection[str]) -> list[str]:
    """Formats the section on the runs that do not count, if there are any."""
    lines = ''.join(f'- {problem}\n' for problem in problems)
    return ['## Left out\n', lines] if problems else []


def _section(rows: Rows) -> list[str]:
    """Formats a table or figure of the paper."""
    table, figure = rows[0]['table'], rows[0]['figure']
    picture = [f'![Figure {figure}](figure{figure}.png)\n'] if figure else []
    if 'detector' in rows[0]:
        return [_detector_table(rows)]
    if figure == 1:
        return [*picture, 'The rows are in Table 3.\n']
    notes = ''.join(
        f'- {row["method"]}{", " if row["backbone"] else ""}{row["backbone"] or ""}: '
        f'{row["note"]}\n'
        for row in rows
        if row.get('note')
    )
    form: Callable[[Rows], str] = _classifier_table
    if table == 1:
        form = _tick_table
    elif figure == 4:
        form = _kernel_size_table
    return [*picture, form(rows), *([notes] if notes else [])]


def _number_of_runs(row: Mapping[str, Any]) -> str:
    return str(len(row['runs']))


def _detector_table(rows: Rows) -> str:
    def title(row: Mapping[str, Any]) -> str:
        if row['table']:
            return f'{DETECTORS[row["detector"]]} R{row["depth"]}'
        return f'{row["name"]}, {row["task"]}'

    columns = [
        ('', title),
        ('', lambda row: row['attention'] or 'plain'),
        *DETECTOR_COLUMNS,
        ('runs', _number_of_runs),
    ]
    return markdown_table(cells(rows, columns), left_columns=2) + '\n'


def _classifier_table(rows: Rows) -> str:
    named = any(row.get('backbone') for row in rows)
    columns: list[tuple[str, Cell]] = [('', value('method'))]
    columns += [('backbone', value('backbone'))] if named else []
    columns += [
        (title, measured(key, form))
        for title, key, form in CLASSIFIER_COLUMNS
        if any((row.get(key), row.get(f'paper_{key}')) != (None, None) for row in rows)
    ]
    columns.append(('runs', _number_of_runs))
    return markdown_table(cells(rows, columns), left_columns=1 + named) + '\n'


def _tick_table(rows: Rows) -> str:
    headings = ('no reduction', 'cross-channel interaction', 'lightweight')
    columns = [
        ('', value('model')),
        *((title, value(f'paper_{key}')) for title, key in zip(headings, TICKS)),
        ('weights', value('weights', ',')),
    ]
    return markdown_table(cells(rows, columns)) + '\n'


def _kernel_size_table(rows: Rows) -> str:
    sizes = list(dict.fromkeys(row['kernel_size'] for row in rows))
    titles = ['SENet' if size is None else f'k = {size}' for size in sizes]
    lines = [['top-1', *titles]]
    top1 = measured('top1', '.2f')
    for backbone in dict.fromkeys(row['backbone'] for row in rows):
        of_size = {r['kernel_size']: r for r in rows if r['backbone'] == backbone}
        lines.append([backbone, *(top1(of_size[size]) for size in sizes)])
    return markdown_table(lines) + '\n'
