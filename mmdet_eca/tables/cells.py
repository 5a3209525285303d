"""What stands in the cells of the report's tables."""

from typing import Any


def cell(row: dict[str, Any], name: str, form: str, spread: str = '') -> str:
    """A cell of the report: what was measured, and in brackets the paper's figure.

    Args:
        row (dict): A result.
        name (str): Its key; that of the paper's figure begins with ``paper_``.
        form (str): Format of both.
        spread (str): Stands after what was measured.

    Returns:
        str: '-' for what was not measured; '?' after what is not confirmed.
    """
    measured, paper = row.get(name), row.get(f'paper_{name}')
    text = '-' if measured is None else f'{measured:{form}}{spread}'
    if paper is not None:
        mark = '?' if name.replace('gain_', '') in row['unconfirmed'] else ''
        text += f' ({paper:{form}}{mark})'
    return text
