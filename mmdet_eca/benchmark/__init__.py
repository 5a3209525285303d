from .data import benchmark_data
from .model import benchmark_model

__all__ = ['benchmark_data', 'benchmark_model']
