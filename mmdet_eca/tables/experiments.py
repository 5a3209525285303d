"""What is trained for the paper's tables and figures, each of it once."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ..engine import config_path
from ..errors import UserError
from .paper_rows import (
    check_names,
    figure_1_rows,
    load_classifier_rows,
    load_kernel_size_points,
    load_member_rows,
    load_network_rows,
    load_paper_rows,
)

TABLES = (1, 2, 3, 4, 5, 6)
FIGURES = (1, 4)
DETECTOR_TABLES = (5, 6)


class Experiment(NamedTuple):
    """A training whose results are in tables or figures of the paper.

    Attributes:
        name (str): Name of its config and of its work directory.
        is_classifier (bool): Whether it is a classifier on ImageNet, else it is a
            detector on COCO.
        tables (list[int]): Numbers of the tables with its results.
        figures (list[int]): Numbers of the figures with its results.
        fields (dict): What else says which row of the paper it is.
    """

    name: str
    is_classifier: bool
    tables: list[int]
    figures: list[int]
    fields: dict[str, Any]

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
    """Lists what is trained for tables and figures.

    Args:
        tables (Sequence[int], optional): Numbers of tables, of ``TABLES``. Nothing
            is trained for Table 1.
        figures (Sequence[int], optional): Numbers of figures, of ``FIGURES``.
            Without tables and figures, those of Tables 5 and 6 are listed, or with
            names all.
        names (Sequence[str]): Names of those that are wanted; empty for all.

    Returns:
        list[Experiment]: First detectors, then classifiers, in the paper's order.

    Raises:
        UserError: If there is no such table, figure or name.
    """
    if not tables and not figures:
        tables, figures = (TABLES, FIGURES) if names else (DETECTOR_TABLES, ())
    tables, figures = tables or (), figures or ()
    check_numbers(tables, TABLES, 'table')
    check_numbers(figures, FIGURES, 'figure')
    found = {
        experiment.name: experiment
        for experiment in (*_detectors(), *_classifiers())
        if set(experiment.tables) & set(tables)
        or set(experiment.figures) & set(figures)
    }
    check_names(names, found)
    return [found[name] for name in found if not names or name in names]


def check_numbers(numbers: Collection[int], known: Sequence[int], kind: str) -> None:
    """Checks the numbers of tables or figures.

    Raises:
        UserError: If there is none of a number.
    """
    for number in numbers:
        if number not in known:
            raise UserError(
                f'there is no {kind} {number} here: choose from '
                f'{", ".join(map(str, known))}'
            )


def _detectors() -> list[Experiment]:
    found: dict[str, Experiment] = {}
    for row in load_paper_rows():
        new = Experiment(row.name, False, [], [], row.fields())
        found.setdefault(row.name, new).tables.append(row.table)
    return list(found.values())


def _classifiers() -> list[Experiment]:
    found: dict[str, Experiment] = {}

    def add(name: str | None) -> Experiment:
        assert name is not None
        return found.setdefault(name, Experiment(name, True, [], [], dict(name=name)))

    for member in load_member_rows():
        add(member.name).tables.append(2)
    for row in load_classifier_rows():
        add(row.name).tables.append(3)
    for network in load_network_rows():
        if network.name:
            add(network.name).tables.append(4)
    for row in figure_1_rows():
        add(row.name).figures.append(1)
    for point in load_kernel_size_points():
        add(point.name).figures.append(4)
    return list(found.values())
