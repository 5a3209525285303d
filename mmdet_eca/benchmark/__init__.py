"""Time and memory of detectors, classifiers and operators, side by side in one run."""

from .classifiers import PaperSpeed
from .count import count_model
from .model import benchmark_model
from .operators import benchmark_operators
from .table3 import Setting, benchmark_table3

__all__ = [
    'PaperSpeed',
    'Setting',
    'benchmark_model',
    'benchmark_operators',
    'benchmark_table3',
    'count_model',
]
