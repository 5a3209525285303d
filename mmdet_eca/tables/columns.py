"""The columns #Param and GFLOPs beside the paper's."""

import sys
from typing import Any, Dict, List

from mmengine.config import Config
from mmengine.utils import track_iter_progress
from terminaltables import AsciiTable

from ..engine import config_path
from .classifiers import classifier_rows, classifier_text
from .complexity import count_complexity
from .rows import TASKS, Row, distinct_rows, format_figure, load_rows

# GCNet's rows, quoted by the paper: all parameters, at another input's size.
QUOTED = ('gc', 'nl')
NOTES = """\
Input 1280x800; G = 1e9 multiply-adds; M = 1e6 parameters. '?' marks a figure
of the paper that is not confirmed.
Counted are the parameters that train (stem and first stage are frozen); for gc
and nl all of them, as in GCNet's table, from which the paper took these rows.
GCNet's GFLOPs were counted by another recipe.
se: without biases, as in the paper. The configs have them, since MMPretrain's
weights do.
Mask R-CNN: MMDetection 1.x had one class more, the background.
Table 6 repeats Table 5's Mask R-CNNs."""


def complexity_rows(tables: List[int]) -> List[Dict[str, Any]]:
    """Counts the rows of the tables, of 3, 5 and 6; shows its progress on stderr.

    Returns:
        list[dict]: A dict a row with its ``params_m`` and ``gflops``, the
        paper's as ``paper_params_m`` and ``paper_gflops``, and ours minus the
        paper's as ``diff_params_m`` and ``diff_gflops``.
    """
    classifiers = classifier_rows() if 3 in tables else []
    rows = [row for row in load_rows() if row.table in tables]
    if not rows:
        return classifiers
    wanted = {row.name for row in rows}
    counted = {
        row.name: count_row(row)
        for row in track_iter_progress(
            [row for row in distinct_rows() if row.name in wanted], file=sys.stderr
        )
    }
    print(file=sys.stderr)
    return classifiers + [_compare(row, counted[row.name]) for row in rows]


def count_row(row: Row) -> Dict[str, float]:
    """``params_m`` and ``gflops`` of a row, by its convention."""
    cost = count_complexity(Config.fromfile(config_path(f'{row.name}.py')))
    quoted = row.attention in QUOTED
    return dict(
        params_m=round(cost.all_params_m if quoted else cost.params_m, 6),
        gflops=round(cost.gflops, 6),
    )


def _compare(row: Row, ours: Dict[str, float]) -> Dict[str, Any]:
    result = dict(row.describe(), **ours)
    for name, value in ours.items():
        result[f'paper_{name}'] = row.paper[name]
        result[f'diff_{name}'] = round(value - row.paper[name], 6)
    return dict(result, source=row.paper['source'], unconfirmed=row.unconfirmed)


def complexity_text(rows: List[Dict[str, Any]]) -> str:
    """The counted rows as tables."""
    classifiers = [row for row in rows if row['table'] == 3]
    detectors = [row for row in rows if row['table'] != 3]
    return '\n'.join(
        ([classifier_text(classifiers)] if classifiers else [])
        + ([_detector_text(detectors)] if detectors else [])
    )


def _detector_text(rows: List[Dict[str, Any]]) -> str:
    """A table of the counted detectors, each once."""
    paper = {(row.table, row.name): row for row in load_rows()}
    cells = [
        [
            'row',
            'table',
            '#Param (M)',
            'paper',
            'difference',
            'GFLOPs',
            'paper',
            'difference',
        ]
    ]
    shown = {}
    for row in rows:
        shown.setdefault(row['name'], row)
    for name, row in shown.items():
        known = paper[row['table'], name]
        tables = [table for table in TASKS if (table, name) in paper]
        cells.append([name, ', '.join(map(str, tables))])
        for figure in ('params_m', 'gflops'):
            cells[-1] += [
                f'{row[figure]:.2f}',
                format_figure(known, figure, 2),
                f'{row[f"diff_{figure}"]:+.2f}',
            ]
    table = AsciiTable(cells)
    table.justify_columns = dict.fromkeys(range(2, 8), 'right')
    return f'{table.table}\n{NOTES}'
