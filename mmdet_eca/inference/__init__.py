"""A trained detector on a user's images or video: results as files and as pictures."""

from .predicting import predict

__all__ = ['predict']
