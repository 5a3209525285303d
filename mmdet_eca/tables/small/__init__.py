"""The paper's tables in small: on the digits, with several seeds a row."""

from .differences import Difference, paired_difference, seeds_needed
from .plan import make_small_plan, small_plan_text
from .records import Record, keep_results, read_records
from .report import small_report_text, write_small_report
from .results import collect_small
from .rows import SmallRow, small_rows
from .running import run_small

__all__ = [
    'Difference',
    'Record',
    'SmallRow',
    'collect_small',
    'keep_results',
    'make_small_plan',
    'paired_difference',
    'read_records',
    'run_small',
    'seeds_needed',
    'small_plan_text',
    'small_report_text',
    'small_rows',
    'write_small_report',
]
