"""What the paper's tables say of cost and structure, counted, beside the paper."""

from collections.abc import Callable, Sequence
from typing import Any

from .attention_layers import attention_layer_rows, attention_layer_text
from .classifiers import classifier_rows, classifier_text
from .detectors import detector_rows, detector_text
from .kernel_sizes import kernel_size_rows, kernel_size_text
from .other_networks import network_rows, network_text
from .paper_rows import figure_1_rows
from .properties import property_rows, property_text

Rows = list[dict[str, Any]]
TEXTS: dict[tuple[int, ...], Callable[[Rows], str]] = {
    (1,): property_text,
    (2,): attention_layer_text,
    (3,): classifier_text,
    (4,): network_text,
    (5, 6): detector_text,
}


def complexity_rows(
    tables: Sequence[int] | None = None, figures: Sequence[int] | None = None
) -> Rows:
    """Counts the rows of the paper's tables; shows its progress on stderr.

    Args:
        tables (Sequence[int], optional): Of 1 (what the systems' attention is
            like), 2 (attention layers), 3 (classifiers), 4 (other networks), 5 and 6
            (detectors). Without tables and figures 5 and 6.
        figures (Sequence[int], optional): Of 1, the rows of Table 3 that it shows,
            and 4 (kernel sizes).

    Returns:
        list[dict]: A dict a row, with its ``table`` or ``figure``; see
        :func:`property_rows`, :func:`attention_layer_rows`,
        :func:`classifier_rows`, :func:`network_rows`, :func:`detector_rows` and
        :func:`kernel_size_rows`.
    """
    tables, figures = tables or (), figures or ()
    if not tables and not figures:
        tables = (5, 6)
    rows: Rows = []
    if 1 in tables:
        rows += property_rows()
    if 2 in tables:
        rows += attention_layer_rows()
    if 3 in tables:
        rows += classifier_rows()
    elif 1 in figures:
        rows += classifier_rows(figure_1_rows())
    if 4 in tables:
        rows += network_rows()
    if 5 in tables or 6 in tables:
        rows += detector_rows([table for table in tables if table in (5, 6)])
    if 4 in figures:
        rows += kernel_size_rows()
    return rows


def complexity_text(rows: Rows) -> str:
    """The counted rows as tables to read."""
    parts = []
    for tables, form in TEXTS.items():
        found = [row for row in rows if row.get('table') in tables]
        if found:
            parts.append(form(found))
    points = [row for row in rows if row.get('figure') == 4]
    if points:
        parts.append(kernel_size_text(points))
    return '\n'.join(parts)
