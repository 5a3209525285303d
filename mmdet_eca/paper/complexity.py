"""What the paper's tables say of cost and structure, counted, beside the paper."""

from collections.abc import Callable, Sequence
from typing import Any

from .detector_counts import detector_rows, detector_text
from .imagenet_counts import (
    attention_layer_rows,
    classifier_rows,
    imagenet_text,
    kernel_size_rows,
    network_rows,
    tick_table_rows,
)
from .paper_rows import DETECTOR_TABLES, chosen, imagenet_rows

Rows = list[dict[str, Any]]
COUNTED: dict[int, Callable[[], Rows]] = {
    1: tick_table_rows,
    2: attention_layer_rows,
    3: classifier_rows,
    4: network_rows,
}


def complexity_rows(
    tables: Sequence[int] | None = None, figures: Sequence[int] | None = None
) -> Rows:
    """Counts the rows of the paper's tables; shows its progress on stderr.

    Args:
        tables (Sequence[int], optional): Of 1 (the systems' ticks and weights), 2
            (attention layers), 3 (classifiers), 4 (other networks), 5 and 6
            (detectors). Without tables and figures 5 and 6.
        figures (Sequence[int], optional): Of 1, the rows of Table 3 that it shows,
            and 4 (kernel sizes).

    Returns:
        list[dict]: A dict a row, with its ``table`` or ``figure``.
    """
    tables, figures = chosen(tables, figures)
    rows: Rows = []
    for table, count_rows in COUNTED.items():
        rows += count_rows() if table in tables else []
    if 1 in figures and 3 not in tables:
        rows += classifier_rows(imagenet_rows(figures=[1]))
    detectors = [table for table in DETECTOR_TABLES if table in tables]
    if detectors:
        rows += detector_rows(detectors)
    return rows + (kernel_size_rows() if 4 in figures else [])


def complexity_text(rows: Rows) -> str:
    """Formats the counted rows as tables to read."""
    detectors = [row for row in rows if row.get('table') in DETECTOR_TABLES]
    others = [row for row in rows if row.get('table') not in DETECTOR_TABLES]
    parts = imagenet_text(others)
    return '\n'.join([*parts, *([detector_text(detectors)] if detectors else [])])
