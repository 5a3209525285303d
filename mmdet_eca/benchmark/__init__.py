from .data import benchmark_data
from .measuring import machine
from .model import benchmark_model
from .tail import benchmark_tail

__all__ = ['benchmark_data', 'benchmark_model', 'benchmark_tail', 'machine']
