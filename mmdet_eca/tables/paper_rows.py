"""The rows of the paper's Tables 5 and 6, and the figures in them."""

import difflib
import json
import os.path as osp
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from ..errors import UserError

AP_COLUMNS = ('AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
COLUMNS = ('params_m', 'gflops', *AP_COLUMNS)
TASKS = {5: 'bbox', 6: 'segm'}  # what the AP of each table is of
DETECTORS = dict(
    faster_rcnn='Faster R-CNN', mask_rcnn='Mask R-CNN', retinanet='RetinaNet'
)


class PaperRow(NamedTuple):
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
    attention: Optional[str]
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
        """What says which row it is, by name."""
        return dict(
            name=self.name,
            table=self.table,
            detector=self.detector,
            depth=self.depth,
            attention=self.attention,
        )


def load_paper_rows() -> list[PaperRow]:
    """All rows, in the paper's order."""
    path = osp.join(osp.dirname(osp.abspath(__file__)), 'paper_tables.json')
    with open(path, encoding='utf-8') as file:
        rows = json.load(file)['rows']
    return [
        PaperRow(
            row['table'],
            row['detector'],
            row['depth'],
            row['attention'],
            {name: row[name] for name in (*COLUMNS, 'source')},
        )
        for row in rows
    ]


def table_5_rows(names: Sequence[str] = ()) -> list[PaperRow]:
    """The rows of Table 5, which has every detector of Table 6 too.

    Args:
        names (Sequence[str]): Names of the wanted rows; empty for all.

    Raises:
        UserError: If there is no row of a name.
    """
    rows = {row.name: row for row in load_paper_rows() if row.table == 5}
    for name in names:
        if name not in rows:
            near = difflib.get_close_matches(name, rows, n=1)
            hint = f', did you mean {near[0]}' if near else ''
            raise UserError(
                f'there is no row {name!r}{hint}? The rows are {", ".join(rows)}'
            )
    return [row for name, row in rows.items() if not names or name in names]


def format_figure(row: PaperRow, name: str, decimals: int = 1) -> str:
    """A figure of the paper: '-' without one, '?' after an unconfirmed one."""
    if row.paper[name] is None:
        return '-'
    mark = '?' if name in row.unconfirmed else ''
    return f'{row.paper[name]:.{decimals}f}{mark}'
