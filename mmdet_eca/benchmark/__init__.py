from .data import benchmark_data

__all__ = ['benchmark_data']
