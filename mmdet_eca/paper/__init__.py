"""The paper's tables and figures, and the same on our data.

Rows, what they cost, the plan of their trainings, running it, and the reports.
"""

from .complexity import complexity_rows, complexity_text
from .digits_rows import DIGITS
from .kept_results import KeptResults, Record
from .paper_report import format_report, write_report
from .paper_rows import FIGURES, TABLES, PaperRow, paper_rows
from .photographs_rows import PHOTOGRAPHS
from .plan import make_plan, plan_text
from .rows import Row, Study, select_rows
from .running import run_rows
from .seeds_report import write_seeds_report
from .trainings import paper_trainings

__all__ = [
    'DIGITS',
    'FIGURES',
    'PHOTOGRAPHS',
    'TABLES',
    'KeptResults',
    'PaperRow',
    'Record',
    'Row',
    'Study',
    'complexity_rows',
    'complexity_text',
    'format_report',
    'make_plan',
    'paper_rows',
    'paper_trainings',
    'plan_text',
    'run_rows',
    'select_rows',
    'write_report',
    'write_seeds_report',
]
