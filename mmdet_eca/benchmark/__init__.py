"""Time and memory of detectors and operators, side by side in one run."""

from .devices import machine
from .model import benchmark_model
from .tail import benchmark_tail

__all__ = ['benchmark_model', 'benchmark_tail', 'machine']
