"""A trained detector on a user's images or video: results as files and as pictures."""

from .benchmark import benchmark_predict
from .prediction import predict

__all__ = ['benchmark_predict', 'predict']
