"""The rows of the paper's Tables 5 and 6."""

import difflib
import json
import os.path as osp
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ..errors import UserError

COLUMNS = ('AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
FIGURES = ('params_m', 'gflops') + COLUMNS
TASKS = {5: 'bbox', 6: 'segm'}
DETECTORS = dict(
    faster_rcnn='Faster R-CNN', mask_rcnn='Mask R-CNN', retinanet='RetinaNet'
)


class Row(NamedTuple):
    """A row: a detector, its backbone's depth and the block in it.

    Table 5 has box AP, Table 6 mask AP; both have the Mask R-CNNs.
    """

    table: int
    detector: str
    depth: int
    attention: Optional[str]
    paper: Dict[str, Any]  # FIGURES and 'source'

    @property
    def name(self) -> str:
        """Name of the row's config and of its work directory."""
        block = f'_{self.attention}' if self.attention else ''
        return f'{self.detector}{block}_r{self.depth}_fpn_1x'

    @property
    def unconfirmed(self) -> List[str]:
        """Figures of the paper that nobody has read again."""
        if self.paper['source'] != 'memory':
            return []
        return [name for name in FIGURES if self.paper[name] is not None]

    def describe(self) -> Dict[str, Any]:
        """The fields that say which row it is."""
        return dict(
            name=self.name,
            table=self.table,
            detector=self.detector,
            depth=self.depth,
            attention=self.attention,
        )


def load_rows() -> List[Row]:
    """All rows, in the paper's order."""
    path = osp.join(osp.dirname(osp.abspath(__file__)), 'paper_tables.json')
    with open(path, encoding='utf-8') as file:
        rows = json.load(file)['rows']
    return [
        Row(
            row['table'],
            row['detector'],
            row['depth'],
            row['attention'],
            {name: row[name] for name in (*FIGURES, 'source')},
        )
        for row in rows
    ]


def distinct_rows(names: Sequence[str] = ()) -> List[Row]:
    """One row a detector: all of Table 5, which has Table 6's too.

    Args:
        names (Sequence[str]): Only these rows; all if empty.

    Raises:
        UserError: If a name is of no row.
    """
    rows = {row.name: row for row in load_rows() if row.table == 5}
    for name in names:
        if name not in rows:
            near = difflib.get_close_matches(name, rows, n=1)
            hint = f', did you mean {near[0]}' if near else ''
            raise UserError(
                f'there is no row {name!r}{hint}? The rows are {", ".join(rows)}'
            )
    return [row for name, row in rows.items() if not names or name in names]


def format_figure(row: Row, name: str, decimals: int = 1) -> str:
    """A figure of the paper, '-' without one, '?' after an unconfirmed one."""
    if row.paper[name] is None:
        return '-'
    mark = '?' if name in row.unconfirmed else ''
    return f'{row.paper[name]:.{decimals}f}{mark}'
