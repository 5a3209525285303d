"""The paper's tables: their figures, what the rows cost, the runs and the report."""

from .complexity import Complexity, count
from .complexity_tables import complexity_rows, complexity_text
from .experiments import FIGURES, TABLES
from .paper_rows import (
    ClassifierRow,
    KernelSizePoint,
    MemberRow,
    NetworkRow,
    PaperRow,
    TickRow,
    load_classifier_rows,
    load_kernel_size_points,
    load_member_rows,
    load_network_rows,
    load_paper_rows,
    load_tick_rows,
    table_5_rows,
)
from .plan import make_plan, plan_text
from .report import format_report, write_report
from .running import run_rows

__all__ = [
    'FIGURES',
    'TABLES',
    'ClassifierRow',
    'Complexity',
    'KernelSizePoint',
    'MemberRow',
    'NetworkRow',
    'PaperRow',
    'TickRow',
    'complexity_rows',
    'complexity_text',
    'count',
    'format_report',
    'load_classifier_rows',
    'load_kernel_size_points',
    'load_member_rows',
    'load_network_rows',
    'load_paper_rows',
    'load_tick_rows',
    'make_plan',
    'plan_text',
    'run_rows',
    'table_5_rows',
    'write_report',
]
