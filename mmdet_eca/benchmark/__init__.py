"""Time and memory of detectors, operators and evaluations, side by side in one run."""

from .classifiers import PaperSpeed
from .evaluation import benchmark_evaluation
from .growth import benchmark_growth
from .model import benchmark_model
from .parts import benchmark_parts
from .table3 import Setting, benchmark_table3
from .tail import benchmark_tail

__all__ = [
    'PaperSpeed',
    'Setting',
    'benchmark_evaluation',
    'benchmark_growth',
    'benchmark_model',
    'benchmark_parts',
    'benchmark_table3',
    'benchmark_tail',
]
