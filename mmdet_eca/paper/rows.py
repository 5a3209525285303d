"""The rows of a table that are trained, whether the paper's or on other data.

A further table, on other data, is a :class:`Study` more: its rows name their configs,
seeds and data, and plan, run and report need nothing else.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..config_paths import config_path
from ..errors import UserError
from .work_dirs import METRICS

# The task and the column of a metric, by its name in the logs.
CLASSIFIER_METRICS = {'top1': ('accuracy', 'top-1'), 'top5': ('accuracy', 'top-5')}
DETECTOR_METRICS = {
    f'coco/{task}_{metric}': (title, column)
    for task, title in (('bbox', 'box'), ('segm', 'mask'))
    for column, metric in METRICS.items()
}


class Cost(NamedTuple):
    """The cost of a training, estimated before it has run.

    Attributes:
        images (int): Number of images that are read, over all epochs.
        hours (float): GPU hours, without evaluation.
        basis (str): Where the speed is from.
    """

    images: int
    hours: float
    basis: str


@dataclass(frozen=True)
class Row:
    """A network that is trained, once or with several seeds.

    Args:
        name (str): Name of its config.
        folder (str): Folder of its config below ``configs/``. Work directories of
            several seeds are in a folder of this name, too.
        is_classifier (bool): Whether it is a classifier, else it is a detector.
        fields (dict): Its identity in a plan, and where its results belong.
        seeds (int): How many seeds are trained, from 0 on; 0 for one training
            without a stated seed.
        plain (str): Name of the row without attention that it is compared with.
        starts_from (Row, optional): The row whose weights of the same seed it takes: a
            classifier's backbone, or a detector; None for none.
        data_commands (tuple): Commands, as tuples of words, that make or check the
            data sets that it needs.
        evaluation_data (str, optional): The folder of the data set that a detector
            is evaluated on in the end, if it is not the config's.
        cost (Cost, optional): The estimated cost, None if it is not known.
    """

    name: str
    folder: str
    is_classifier: bool
    fields: dict[str, Any] = field(default_factory=dict)
    seeds: int = 0
    plain: str = ''
    starts_from: 'Row | None' = None
    data_commands: tuple[tuple[str, ...], ...] = ()
    evaluation_data: str | None = None
    cost: Cost | None = None

    @property
    def config(self) -> str:
        """Path of its config."""
        return config_path(f'{self.folder}/{self.name}.py'.lstrip('/'))

    @property
    def group(self) -> str:
        """The table in which rows with seeds are compared: 'Mask R-CNN', say."""
        return self.fields.get('group', '')

    @property
    def label(self) -> str:
        """Its name in that table: 'ECA', say."""
        return self.fields.get('label', '')

    @property
    def metrics(self) -> dict[str, tuple[str, str]]:
        """Task and column of what may be measured, by its name in the logs."""
        return CLASSIFIER_METRICS if self.is_classifier else DETECTOR_METRICS


class Study(NamedTuple):
    """Rows on other data than the paper's, with several seeds each.

    Attributes:
        name (str): Its name on the command line, and of the files of its report.
        title (str): Its title in the report.
        rows (callable): Returns the rows, in the order of the report.
    """

    name: str
    title: str
    rows: Callable[[], list[Row]]


def select_rows(rows: Sequence[Row], names: Collection[str] = ()) -> list[Row]:
    """Returns the rows of these names, in their order; without names all.

    Raises:
        UserError: If there is no row of a name.
    """
    check_names(names, [row.name for row in rows])
    return [row for row in rows if not names or row.name in names]


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
