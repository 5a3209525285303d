"""What the paper's tables say of cost and structure, counted, beside the paper."""

from collections.abc import Sequence
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
from .paper_rows import DETECTOR_TABLES, check_numbers, imagenet_rows

Rows = list[dict[str, Any]]


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
    tables, figures = check_numbers(tables, figures)
    rows: Rows = []
    if 1 in tables:
        rows += tick_table_rows()
    if 2 in tables:
        rows += attention_layer_rows()
    if 3 in tables:
        rows += classifier_rows()
    elif 1 in figures:
        rows += classifier_rows(imagenet_rows(figures=[1]))
    if 4 in tables:
        rows += network_rows()
    detectors = [table for table in DETECTOR_TABLES if table in tables]
    if detectors:
        rows += detector_rows(detectors)
    if 4 in figures:
        rows += kernel_size_rows()
    return rows


def complexity_text(rows: Rows) -> str:
    """Formats the counted rows as tables to read."""
    detectors = [row for row in rows if row.get('table') in DETECTOR_TABLES]
    others = [row for row in rows if row.get('table') not in DETECTOR_TABLES]
    parts = imagenet_text(others)
    return '\n'.join([*parts, *([detector_text(detectors)] if detectors else [])])
