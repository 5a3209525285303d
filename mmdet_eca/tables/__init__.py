"""Tables 5 and 6 of the paper: its figures, their columns, runs and report."""

from .columns import complexity_rows, complexity_text
from .complexity import Complexity, count_complexity
from .plan import make_plan, plan_text, run_rows
from .report import format_report, write_report
from .rows import Row, distinct_rows, load_rows

__all__ = [
    'Complexity',
    'Row',
    'complexity_rows',
    'complexity_text',
    'count_complexity',
    'distinct_rows',
    'format_report',
    'load_rows',
    'make_plan',
    'plan_text',
    'run_rows',
    'write_report',
]
