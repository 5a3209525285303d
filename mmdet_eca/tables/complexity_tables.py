"""The columns #Param and FLOPs of every table, beside the paper's."""

from typing import Any

from .attention_layers import attention_layer_rows, attention_layer_text
from .classifiers import classifier_rows, classifier_text
from .detectors import detector_rows, detector_text


def complexity_rows(tables: list[int]) -> list[dict[str, Any]]:
    """Counts the rows of the paper's tables; shows its progress on stderr.

    Args:
        tables (list[int]): Of 2 (attention layers), 3 (classifiers), 5 and 6
            (detectors).

    Returns:
        list[dict]: A dict a row, with its ``table``; see
        :func:`attention_layer_rows`, :func:`classifier_rows` and
        :func:`detector_rows`.
    """
    rows = []
    if 2 in tables:
        rows += attention_layer_rows()
    if 3 in tables:
        rows += classifier_rows()
    if 5 in tables or 6 in tables:
        rows += detector_rows(tables)
    return rows


def complexity_text(rows: list[dict[str, Any]]) -> str:
    """The counted rows as tables to read."""
    parts = []
    for tables, form in (
        ((2,), attention_layer_text),
        ((3,), classifier_text),
        ((5, 6), detector_text),
    ):
        found = [row for row in rows if row['table'] in tables]
        if found:
            parts.append(form(found))
    return '\n'.join(parts)
