"""The paper's tables: their figures, what the rows cost, the runs and the report."""

from .complexity import Complexity, count
from .complexity_tables import complexity_rows, complexity_text
from .paper_rows import PaperRow, load_paper_rows, table_5_rows
from .plan import make_plan, plan_text
from .report import format_report, write_report
from .running import run_rows

__all__ = [
    'Complexity',
    'PaperRow',
    'complexity_rows',
    'complexity_text',
    'count',
    'format_report',
    'load_paper_rows',
    'make_plan',
    'plan_text',
    'run_rows',
    'table_5_rows',
    'write_report',
]
