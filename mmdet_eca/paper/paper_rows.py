"""The paper's figures: the rows of its tables, and the points of its figures."""

import json
import os.path as osp
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

TABLES = (1, 2, 3, 4, 5, 6)
FIGURES = (1, 4)
DETECTOR_TABLES = (5, 6)
AP_COLUMNS = ('AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
DETECTOR_FIGURES = ('params_m', 'gflops', *AP_COLUMNS)
TICKS = ('no_reduction', 'cross_channel', 'lightweight')
# The figures that the tables print, in the order of their columns.
PRINTED = (
    *DETECTOR_FIGURES,
    *TICKS,
    *('weights', 'params', 'flops', 'train_fps', 'inference_fps', 'top1', 'top5'),
)
DETECTORS = dict(
    faster_rcnn='Faster R-CNN', mask_rcnn='Mask R-CNN', retinanet='RetinaNet'
)
# The methods of Figure 1, in ResNets.
FIGURE_1_METHODS = ('ResNet', 'SENet', 'CBAM', 'A2-Nets', 'ECA-Net')
UNITS = {'2^20': 2**20, '2^30': 2**30, '10^6': 10**6, '10^9': 10**9}


@dataclass(frozen=True)
class PaperRow:
    """A row of a table of the paper or of the authors' poster, or a point of a figure.

    The classifiers have a ``method`` and a ``backbone``, the detectors of Tables 5
    (box AP) and 6 (mask AP) a ``detector``, a ``depth`` and an ``attention``.

    Args:
        name (str): Name of its config; empty for the other networks of Table 4.
        paper (dict[str, Any]): The printed figures, by the names in ``PRINTED``.
        table (int, optional): Its table, None for a point of a figure.
        figure (int, optional): Its figure, None for a row of a table.
        sources (list[str]): Where a classifier's row was read, likewise.
        note (str, optional): A contradiction to another source.
        method (str): The method or network, as the paper calls it.
        backbone (str, optional): The network that the method is in.
        kernel_size (int | str | None): Kernel size in Figure 4: 'adaptive' for the
            formula's; None for SENet.
        params_unit (str): A key of ``UNITS``, the unit of ``paper['params']``.
        flops_unit (str): Likewise, of ``paper['flops']``.
        detector (str): A key of ``DETECTORS``.
        depth (int): Depth of the detector's ResNet.
        attention (str, optional): The attention in it, None for none.
        source (str): Where the detector's row was read, see paper_tables.json.
    """

    name: str
    paper: dict[str, Any]
    table: int | None = None
    figure: int | None = None
    sources: Sequence[str] = ()
    note: str | None = None
    method: str = ''
    backbone: str | None = None
    kernel_size: int | str | None = None
    params_unit: str = '2^20'
    flops_unit: str = '2^30'
    detector: str = ''
    depth: int = 0
    attention: str | None = None
    source: str = ''

    @property
    def is_classifier(self) -> bool:
        """Whether it is a classifier's, else it is a detector's."""
        return self.table not in DETECTOR_TABLES

    @property
    def parameters(self) -> float:
        """Number of a classifier's parameters, whatever unit was printed."""
        return self.paper['params'] * UNITS[self.params_unit]

    @property
    def operations(self) -> float:
        """Number of a classifier's operations, whatever unit was printed."""
        return self.paper['flops'] * UNITS[self.flops_unit]

    def fields(self) -> dict[str, Any]:
        """Returns what identifies a row of Tables 5 and 6, or a classifier."""
        if self.is_classifier:
            return dict(name=self.name)
        keys = ('name', 'table', 'detector', 'depth', 'attention')
        return {key: getattr(self, key) for key in keys}


def paper_rows(
    tables: Collection[int] = (), figures: Collection[int] = ()
) -> list[PaperRow]:
    """Returns the rows of tables and the points of figures.

    Those of one table or figure are in the paper's order. After Table 3 come the rows
    that the authors' poster alone has: ResNet-18 and -34.

    Args:
        tables (Collection[int]): Numbers of tables, of ``TABLES``.
        figures (Collection[int]): Numbers of figures, of ``FIGURES``.
    """
    return [row for row in _all_rows() if row.table in tables or row.figure in figures]


@cache
def _all_rows() -> list[PaperRow]:
    path = osp.join(osp.dirname(osp.abspath(__file__)), 'paper_tables.json')
    with open(path, encoding='utf-8') as file:
        sections = json.load(file)
    figure_1 = [
        printed
        for printed in sections['table_3']
        if printed['method'] in FIGURE_1_METHODS
        and printed['backbone'].startswith('ResNet')
    ]
    places: list[tuple[dict[str, int], list[dict[str, Any]]]] = [
        *((dict(table=n), sections[f'table_{n}']) for n in (1, 2, 3, 4)),
        (dict(figure=1), figure_1),
        (dict(figure=4), sections['figure_4']),
        ({}, sections['detectors']),
    ]
    return [_row({**printed, **place}) for place, rows in places for printed in rows]


def _row(printed: dict[str, Any]) -> PaperRow:
    fields = PaperRow.__dataclass_fields__
    paper = {key: printed[key] for key in PRINTED if printed.get(key) is not None}
    known = {key: value for key, value in printed.items() if key in fields}
    return PaperRow(**{**known, 'name': printed['name'] or '', 'paper': paper})


def chosen(
    tables: Sequence[int] | None,
    figures: Sequence[int] | None,
    everything: bool = False,
) -> tuple[Sequence[int], Sequence[int]]:
    """Returns the chosen tables and figures, by default Tables 5 and 6 or all."""
    if tables or figures:
        return tables or (), figures or ()
    return (TABLES, FIGURES) if everything else (DETECTOR_TABLES, ())
