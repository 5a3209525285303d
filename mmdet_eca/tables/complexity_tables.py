"""What the paper's tables say of cost and structure, counted, beside the paper."""

from typing import Any, Callable

from .attention_layers import attention_layer_rows, attention_layer_text
from .classifiers import classifier_rows, classifier_text
from .detectors import detector_rows, detector_text
from .other_networks import network_rows, network_text
from .properties import property_rows, property_text

Rows = list[dict[str, Any]]
# By table; Tables 5 and 6 are counted together.
COUNTS: dict[int, Callable[[], Rows]] = {
    1: property_rows,
    2: attention_layer_rows,
    3: classifier_rows,
    4: network_rows,
}
TEXTS: dict[tuple[int, ...], Callable[[Rows], str]] = {
    (1,): property_text,
    (2,): attention_layer_text,
    (3,): classifier_text,
    (4,): network_text,
    (5, 6): detector_text,
}


def complexity_rows(tables: list[int]) -> Rows:
    """Counts the rows of the paper's tables; shows its progress on stderr.

    Args:
        tables (list[int]): Of 1 (ticks of the systems), 2 (attention layers),
            3 (classifiers), 4 (other networks), 5 and 6 (detectors).

    Returns:
        list[dict]: A dict a row, with its ``table``; see :func:`property_rows`,
        :func:`attention_layer_rows`, :func:`classifier_rows`,
        :func:`network_rows` and :func:`detector_rows`.
    """
    rows: Rows = []
    for table, count in COUNTS.items():
        if table in tables:
            rows += count()
    detectors = [table for table in tables if table not in COUNTS]
    return rows + (detector_rows(detectors) if detectors else [])


def complexity_text(rows: Rows) -> str:
    """The counted rows as tables to read."""
    parts = []
    for tables, form in TEXTS.items():
        found = [row for row in rows if row['table'] in tables]
        if found:
            parts.append(form(found))
    return '\n'.join(parts)
