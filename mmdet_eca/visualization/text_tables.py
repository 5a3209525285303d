"""Tables for a terminal and for a Markdown file."""

from collections.abc import Sequence

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable
from terminaltables.base_table import BaseTable

Rows = Sequence[Sequence[str]]


def text_table(
    rows: Rows,
    title: str | None = None,
    left_columns: int = 1,
    has_footer: bool = False,
) -> str:
    """Formats a table for a terminal.

    Args:
        rows (Sequence[Sequence[str]]): The cells, the header first.
        title (str, optional): Stands in the upper border.
        left_columns (int): Number of columns, from the left, whose text is
            aligned to the left. The others are aligned to the right, as numbers
            are.
        has_footer (bool): Whether a line separates the last row.

    Returns:
        str: The table, without a line break at its end.
    """
    table = AsciiTable([list(row) for row in rows], title and f' {title} ')
    table.inner_footing_row_border = has_footer
    return _align(table, left_columns)


def markdown_table(rows: Rows, left_columns: int = 1) -> str:
    """Formats a table in GitHub's Markdown, see :func:`text_table`."""
    return _align(
        GithubFlavoredMarkdownTable([list(row) for row in rows]), left_columns
    )


def _align(table: BaseTable, left_columns: int) -> str:
    for column in range(left_columns, len(table.table_data[0])):
        table.justify_columns[column] = 'right'
    return table.table
