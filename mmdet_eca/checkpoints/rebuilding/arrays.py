"""Plain arrays and numbers of numpy."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np


def _dtype(name: str, align: bool = False, copy: bool = False) -> np.dtype:
    if not re.fullmatch(r'[<=|]?([biu]1|[fiu][248])|\?', name):
        raise ValueError(f'numpy.dtype({name!r})')
    return np.dtype(name)


def check_dtype(
    dtype: np.dtype,
    version: int,
    order: str,
    subtype: Any,
    names: Any,
    fields: Any,
    *sizes: int,
) -> None:
    """Compares the state of a dtype with that of a plain one, and does not set it.

    numpy believes flags and fields, and takes numbers for addresses of objects.
    """
    if order not in ('<', '|', '=') or (subtype, names, fields) != (None, None, None):
        raise ValueError(f'numpy.dtype of order {order!r}, or with fields')
    if any(size != -1 for size in sizes[:2]) or any(sizes[2:]):
        raise ValueError(f'numpy.dtype with {sizes}')


def _empty_array(kind: type, shape: tuple, code: Any) -> np.ndarray:
    if kind is not np.ndarray or shape != (0,):
        raise ValueError(f'{kind} of shape {shape}')
    return np.empty(0, np.int8)


def fill_array(
    array: np.ndarray, version: int, shape: tuple, dtype: np.dtype, f: bool, data: bytes
) -> None:
    """Gives an empty array its numbers, which must be as many as its shape says."""
    _check_bytes(dtype, data, math.prod(shape))
    if array.size or min(shape, default=0) < 0:
        raise ValueError(f'an array of shape {shape}')
    state: Any = (1, tuple(shape), dtype, bool(f), data)
    array.__setstate__(state)


def _scalar(dtype: np.dtype, data: bytes) -> np.generic:
    _check_bytes(dtype, data, 1)
    return np.frombuffer(data, dtype)[0]


def _check_bytes(dtype: np.dtype, data: bytes, count: int) -> None:
    if not isinstance(dtype, np.dtype) or type(data) is not bytes:
        raise TypeError(f'numbers of {dtype!r} in {type(data)}')
    if len(data) != count * dtype.itemsize:
        raise ValueError(f'{count} numbers of {dtype} in {len(data)} bytes')


# By the names of those that they stand for.
FUNCTIONS: dict[str, Callable] = {
    'numpy.dtype': _dtype,
    **{
        f'numpy.{core}.multiarray.{name}': function
        for core in ('core', '_core')  # numpy 1 and 2
        for name, function in (('_reconstruct', _empty_array), ('scalar', _scalar))
    },
}
