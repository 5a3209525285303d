"""Values of Python and torch, and mmengine's HistoryBuffer."""

import codecs
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_STATISTICS = ('current', 'max', 'mean', 'min')
_HISTORY = ('max_length', '_log_history', '_count_history')
_KEYS = (str, int, float, bool, type(None), bytes, torch.device, torch.dtype)


def check_key(key: Any) -> Any:
    """Returns a key of a dict.

    Raises:
        TypeError: If it is a tuple in tuples, whose hash takes an eternity or overflows
            the stack, or is no plain value.
    """
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        if not isinstance(part, (*_KEYS, np.generic)):
            raise TypeError(f'a {type(part)} is no key')
    return key


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stands for ``getattr``: returns HistoryBuffer's statistics only."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise TypeError(
            'GLOBAL builtins.getattr was not an allowed global: a checkpoint '
            f'asks for {owner!r}.{name}'
        )
    return getattr(HistoryBuffer, name)


def fill_history(buffer: HistoryBuffer, state: dict[str, Any]) -> None:
    """Sets a state without what HistoryBuffer would take over for all buffers."""
    for name, method in state.pop('statistics_methods', {}).items():
        if name not in _STATISTICS or method is not getattr(HistoryBuffer, name):
            raise ValueError(f'{name!r} is no statistic of a HistoryBuffer')
    for name, value in state.items():
        kind = int if name == 'max_length' else np.ndarray
        if name not in _HISTORY or type(value) is not kind:
            raise ValueError(f'{name!r} of a HistoryBuffer is a {type(value)}')
    if set(state) != set(_HISTORY):
        raise ValueError('a HistoryBuffer without its history')
    buffer._set_default_statistics()
    buffer.__dict__.update(state)


def _encode(text: str, encoding: str) -> bytes:
    """Stands for ``codecs.encode``: how protocol 2 writes bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise ValueError(f'bytes by {encoding!r}')
    return codecs.latin_1_encode(text)[0]


def _bytearray(text: str = '', encoding: str = 'latin-1') -> bytearray:
    return bytearray(_encode(text, encoding))


def _set(values: list) -> set:
    return {check_key(value) for value in values}


def _ordered_dict(pairs: Any = ()) -> OrderedDict:
    return OrderedDict((check_key(key), value) for key, value in pairs)


def _counter(counts: dict | None = None) -> Counter:
    if type(counts) not in (dict, type(None)):
        raise TypeError(f'a Counter of {type(counts)}')
    return Counter(counts)


def _complex(real: float, imaginary: float) -> complex:
    return complex(float(real), float(imaginary))


def _size(numbers: tuple) -> torch.Size:
    return torch.Size(numbers)


def _device(kind: str, *index: int) -> torch.device:
    return torch.device(kind, *index)


def _bytes() -> bytes:
    return b''


# By the names of those that they stand for.
FUNCTIONS: dict[str, Callable] = {
    'torch.Size': _size,
    'torch.device': _device,
    'collections.OrderedDict': _ordered_dict,
    'collections.Counter': _counter,
    'builtins.bytearray': _bytearray,
    'builtins.bytes': _bytes,
    'builtins.complex': _complex,
    'builtins.set': _set,
    'builtins.getattr': _history_buffer_method,
    '_codecs.encode': _encode,
}
