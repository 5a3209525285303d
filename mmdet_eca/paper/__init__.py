"""The paper's tables and the same on Digits-COCO: rows, counts, plan, run, report."""

from .complexity import complexity_rows, complexity_text
from .counting import Complexity, count
from .digits_report import collect_digits, write_digits_report
from .digits_results import Record, read_records
from .digits_rows import DigitsRow, digits_rows
from .digits_runs import make_digits_plan, run_digits
from .paper_report import format_report, write_report
from .paper_rows import (
    FIGURES,
    TABLES,
    ClassifierRow,
    DetectorRow,
    imagenet_rows,
    load_classifier_rows,
    load_paper_rows,
    table_5_rows,
)
from .plan import make_plan, plan_text
from .running import run_rows

__all__ = [
    'FIGURES',
    'TABLES',
    'ClassifierRow',
    'Complexity',
    'DetectorRow',
    'DigitsRow',
    'Record',
    'collect_digits',
    'complexity_rows',
    'complexity_text',
    'count',
    'digits_rows',
    'format_report',
    'imagenet_rows',
    'load_classifier_rows',
    'load_paper_rows',
    'make_digits_plan',
    'make_plan',
    'plan_text',
    'read_records',
    'run_digits',
    'run_rows',
    'table_5_rows',
    'write_digits_report',
    'write_report',
]
