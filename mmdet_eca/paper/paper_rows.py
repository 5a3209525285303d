"""The paper's figures: the rows of its tables, and the points of its figures."""

import difflib
import json
import os.path as osp
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from ..config_paths import config_path
from ..errors import UserError

TABLES = (1, 2, 3, 4, 5, 6)
FIGURES = (1, 4)
DETECTOR_TABLES = (5, 6)
AP_COLUMNS = ('AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
COLUMNS = ('params_m', 'gflops', *AP_COLUMNS)
TASKS = {5: 'bbox', 6: 'segm'}  # the task whose AP a table has
DETECTORS = dict(
    faster_rcnn='Faster R-CNN', mask_rcnn='Mask R-CNN', retinanet='RetinaNet'
)
# The methods of Figure 1, in ResNets.
FIGURE_1_METHODS = ('ResNet', 'SENet', 'CBAM', 'A2-Nets', 'ECA-Net')
UNITS = {'2^20': 2**20, '2^30': 2**30, '10^6': 10**6, '10^9': 10**9}


class DetectorRow(NamedTuple):
    """A row of Table 5, which has box AP, or of Table 6, which has mask AP.

    Attributes:
        table (int): 5 or 6. The Mask R-CNNs are in both.
        detector (str): A key of ``DETECTORS``.
        depth (int): Depth of the ResNet.
        attention (str, optional): The attention in it, None for none.
        paper (dict): The figures of ``COLUMNS`` by name, None where the paper
            has none, and ``source``, see paper_tables.json.
    """

    table: int
    detector: str
    depth: int
    attention: str | None
    paper: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the row's config and of its work directory."""
        attention = f'_{self.attention}' if self.attention else ''
        return f'{self.detector}{attention}_r{self.depth}_fpn_1x'

    @property
    def unconfirmed(self) -> list[str]:
        """Names of the figures that are recalled and were not read again."""
        if self.paper['source'] != 'memory':
            return []
        return [name for name in COLUMNS if self.paper[name] is not None]

    def fields(self) -> dict[str, Any]:
        """Returns what identifies the row, by name."""
        return dict(name=self.name, **dict(list(self._asdict().items())[:4]))


class ClassifierRow(NamedTuple):
    """A row of Tables 2 to 4, of the authors' poster, or a point of a figure.

    Attributes:
        table (int, optional): Its table, None for a point of a figure.
        figure (int, optional): Its figure, None for a row of a table.
        name (str): Name of its config in ``configs/imagenet``; empty for the other
            networks of Table 4.
        method (str): Its name in the paper.
        backbone (str, optional): The network that it is in.
        top1 (float): Top-1 accuracy in percent.
        sources (list[str]): Where the row was read, see paper_tables.json.
        note (str, optional): What does not fit.
        top5 (float, optional): Top-5 accuracy in percent; None where there is none.
        weights (str, optional): Number of weights of a layer for C channels.
        params (float, optional): Number of parameters as printed, in ``params_unit``.
        flops (float, optional): Number of operations, likewise in ``flops_unit``.
        params_unit (str): A key of ``UNITS``.
        flops_unit (str): A key of ``UNITS``.
        train_fps (int, optional): Images a second in training, on four RTX 2080 Ti.
        inference_fps (int, optional): Images a second in inference, likewise.
        kernel_size (int | str | None): Of Figure 4: 'adaptive' for the formula's, None
            for SENet.
    """

    table: int | None
    figure: int | None
    name: str
    method: str
    backbone: str | None
    top1: float
    sources: list[str]
    note: str | None = None
    top5: float | None = None
    weights: str | None = None
    params: float | None = None
    flops: float | None = None
    params_unit: str = '2^20'
    flops_unit: str = '2^30'
    train_fps: int | None = None
    inference_fps: int | None = None
    kernel_size: int | str | None = None

    @property
    def parameters(self) -> float:
        """Number of parameters, whatever unit was printed."""
        return (self.params or 0) * UNITS[self.params_unit]

    @property
    def operations(self) -> float:
        """Number of operations, whatever unit was printed."""
        return (self.flops or 0) * UNITS[self.flops_unit]

    @property
    def in_paper(self) -> bool:
        """Whether the paper has it; the poster alone has ResNet-18 and -34."""
        return self.sources != ['poster']

    def paper(self) -> dict[str, Any]:
        """Returns the printed figures, by name; only those that there are."""
        names = ('weights', 'params', 'flops', 'train_fps', 'inference_fps', 'top1')
        figures = {name: getattr(self, name) for name in (*names, 'top5')}
        return {name: value for name, value in figures.items() if value is not None}


@cache
def _sections() -> dict[str, list[dict[str, Any]]]:
    """Reads paper_tables.json."""
    path = osp.join(osp.dirname(osp.abspath(__file__)), 'paper_tables.json')
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def load_paper_rows() -> list[DetectorRow]:
    """Returns the rows of Tables 5 and 6, in the paper's order."""
    return [
        DetectorRow(
            row['table'],
            row['detector'],
            row['depth'],
            row['attention'],
            {name: row[name] for name in (*COLUMNS, 'source')},
        )
        for row in _sections()['detectors']
    ]


def table_5_rows(names: Sequence[str] = ()) -> list[DetectorRow]:
    """Returns the rows of Table 5, which has every detector of Table 6 too.

    Args:
        names (Sequence[str]): Names of the wanted rows; empty for all.

    Raises:
        UserError: If there is no row of a name.
    """
    rows = {row.name: row for row in load_paper_rows() if row.table == 5}
    check_names(names, rows)
    return [row for name, row in rows.items() if not names or name in names]


def tick_rows() -> list[dict[str, Any]]:
    """Returns the rows of Table 1 as in paper_tables.json, in the paper's order."""
    return _sections()['table_1']


def imagenet_rows(
    tables: Collection[int] = (), figures: Collection[int] = ()
) -> list[ClassifierRow]:
    """Returns the rows of Tables 2 to 4 and the points of Figures 1 and 4.

    Those of one table or figure are in the paper's order. After Table 3 come the rows
    that the authors' poster alone has.
    """
    rows = [
        *(
            dict(row, table=2, method=row['member'], backbone='ResNet-50')
            for row in _sections()['table_2']
        ),
        *(dict(row, table=3) for row in _sections()['table_3']),
        *(dict(row, table=4, method=row['model']) for row in _sections()['table_4']),
        *(
            dict(row, figure=1)
            for row in _sections()['table_3']
            if row['method'] in FIGURE_1_METHODS
            and row['backbone'].startswith('ResNet')
        ),
        *(
            dict(
                row,
                figure=4,
                method='ECA-Net' if row['kernel_size'] else 'SENet',
                backbone=f'ResNet-{row["depth"]}',
            )
            for row in _sections()['figure_4']
        ),
    ]
    nowhere = dict(table=None, figure=None, backbone=None)
    found = [
        ClassifierRow(
            **{
                key: value
                for key, value in {**nowhere, **row, 'name': row['name'] or ''}.items()
                if key in ClassifierRow._fields
            }
        )
        for row in rows
    ]
    return [row for row in found if row.table in tables or row.figure in figures]


def load_classifier_rows() -> list[ClassifierRow]:
    """Returns the rows of Table 3, then those of the poster alone."""
    return imagenet_rows([3])


def chosen(
    tables: Sequence[int] | None,
    figures: Sequence[int] | None,
    everything: bool = False,
) -> tuple[Sequence[int], Sequence[int]]:
    """Returns the chosen tables and figures, by default Tables 5 and 6 or all."""
    if tables or figures:
        return tables or (), figures or ()
    return (TABLES, FIGURES) if everything else (DETECTOR_TABLES, ())


class Experiment(NamedTuple):
    """A training whose results are in tables or figures of the paper.

    Attributes:
        name (str): Name of its config and of its work directory.
        is_classifier (bool): Whether it is a classifier on ImageNet, else it is a
            detector on COCO.
        fields (dict): What identifies the row of the paper.
        tables (list[int]): Numbers of the tables with its results.
        figures (list[int]): Numbers of the figures with its results.
    """

    name: str
    is_classifier: bool
    fields: dict[str, Any]
    tables: list[int]
    figures: list[int]

    @property
    def config(self) -> str:
        """Path of its config."""
        folder = 'imagenet/' if self.is_classifier else ''
        return config_path(f'{folder}{self.name}.py')


def select_experiments(
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
    names: Sequence[str] = (),
) -> list[Experiment]:
    """Lists what is trained for tables and figures, each of it once.

    Args:
        tables (Sequence[int], optional): Numbers of tables. Nothing is trained for
            Table 1.
        figures (Sequence[int], optional): Numbers of figures. Without tables and
            figures, those of Tables 5 and 6 are listed, or with names all.
        names (Sequence[str]): Names of those that are wanted; empty for all.

    Returns:
        list[Experiment]: First detectors, then classifiers, in the paper's order.

    Raises:
        UserError: If there is no row of a name.
    """
    tables, figures = chosen(tables, figures, everything=bool(names))
    places: list[tuple[str, dict[str, Any], int | None, int | None]] = [
        (row.name, row.fields(), row.table, None) for row in load_paper_rows()
    ]
    places += [
        (row.name, dict(name=row.name), row.table, row.figure)
        for row in imagenet_rows(TABLES, FIGURES)
        if row.name
    ]
    found: dict[str, Experiment] = {}
    for name, fields, table, figure in places:
        new = Experiment(name, 'detector' not in fields, fields, [], [])
        experiment = found.setdefault(name, new)
        experiment.tables.extend([table] if table else [])
        experiment.figures.extend([figure] if figure else [])
    found = {
        name: experiment
        for name, experiment in found.items()
        if set(experiment.tables) & set(tables)
        or set(experiment.figures) & set(figures)
    }
    check_names(names, found)
    return [found[name] for name in found if not names or name in names]


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Checks that these are names of rows.

    Raises:
        UserError: If one is not; the message has the nearest and all that are.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f', did you mean {near[0]}?' if near else '.'
            raise UserError(
                f'there is no row {name!r}{hint} The rows are {", ".join(known)}'
            )
