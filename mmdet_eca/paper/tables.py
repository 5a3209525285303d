"""The cells of tables: a column is its heading and a function of a row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rows = list[dict[str, Any]]
Cell = Callable[[Mapping[str, Any]], str]
Columns = Sequence[tuple[str, Cell]]


def cells(rows: Iterable[Mapping[str, Any]], columns: Columns) -> list[list[str]]:
    """Returns the cells of a table, the headings first."""
    headings = [heading for heading, _ in columns]
    return [headings, *([cell(row) for _, cell in columns] for row in rows)]


def value(key: str, form: str = '') -> Cell:
    """Shows a row's value in a format; '-' where there is none."""

    def show(row: Mapping[str, Any]) -> str:
        shown = row.get(key)
        if shown is None or isinstance(shown, bool):
            return {True: 'yes', False: 'no', None: '-'}[shown]
        return f'{shown:{form}}'

    return show


def measured(key: str, form: str) -> Cell:
    """Shows what was measured, and in brackets the paper's figure.

    '-' stands for what was not measured; '?' is after what is not confirmed.

    Args:
        key (str): Its key. That of the paper's figure begins with ``paper_``, of a
            standard deviation with ``std_``, of a unit it ends with ``_unit``.
        form (str): The format of all.
    """

    def show(row: Mapping[str, Any]) -> str:
        paper, spread = row.get(f'paper_{key}'), row.get(f'std_{key}')
        text = value(key, form)(row)
        if spread is not None:
            text += f' ±{spread:{form}}'
        if paper is not None:
            doubted = key.removeprefix('gain_') in row['unconfirmed']
            text += f' ({paper:{form}}{"?" if doubted else ""})'
        unit = row.get(f'{key}_unit')
        return f'{text} {unit}' if unit else text

    return show
