"""Reads other people's weights, and converts them to this package's names.

A source is one file: ``NAME`` in a few words, ``matches(state_dict, meta)``
whether a checkpoint is of it, ``convert(state_dict)`` its weights, renamed.
"""
from .convert import convert_checkpoint
from .schemes import local_path, register_schemes

__all__ = ['convert_checkpoint', 'local_path', 'register_schemes']
