"""Rebuilds the tensors, arrays and other objects that a checkpoint's pickle describes.

Each function stands for the one of torch, numpy or Python that the pickle names, and
takes only what these write. What does not fit raises an exception of any kind.
"""

import codecs
import math
import re
from collections import Counter, OrderedDict
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

_STATISTICS = ('current', 'max', 'mean', 'min')
_KEYS = (str, int, float, bool, type(None), bytes, torch.device, torch.dtype)


class Budget:
    """Counts the bytes that a file is expanded to.

    Args:
        size (int): Of the file in bytes. It may become 20 times as large and a GiB.
    """

    def __init__(self, size: int) -> None:
        self._left = 2**30 + 20 * size

    def spend(self, count: int) -> int:
        """Returns ``count``, a number of bytes.

        Raises:
            ValueError: If it is negative, or no longer in the limit.
        """
        self._left -= count
        if type(count) is not int or count < 0 or self._left < 0:
            raise ValueError(f'{count} bytes are more than the file can have')
        return count


class Storage(NamedTuple):
    """The numbers of one or more tensors; what they share is ``budget``."""

    untyped: torch.UntypedStorage
    dtype: torch.dtype
    budget: Budget


class StorageType(NamedTuple):
    """Stands for a class as torch.FloatStorage."""

    dtype: torch.dtype


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


def set_state(owner: Any, state: Any) -> None:
    """Gives a rebuilt object its state."""
    kind = type(owner)
    if kind is OrderedDict:  # a state dict's _metadata
        owner.__dict__.update(_attributes(state, OrderedDict))
    elif kind is HistoryBuffer:
        _fill_history(owner, dict(state))
    elif kind is np.ndarray:
        _fill_array(owner, *state)
    elif isinstance(owner, np.dtype):
        _check_dtype(owner, *state)
    else:
        name = f'{kind.__module__}.{kind.__qualname__}'
        raise TypeError(f'GLOBAL {name} was not an allowed global to set the state of')


def tensor(
    storage: Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """Stands for ``_rebuild_tensor`` and ``_rebuild_tensor_v2``."""
    return _of_type(
        storage.dtype, storage, offset, size, stride, requires_grad, hooks, metadata
    )


def _tensor_v3(
    storage: Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    hooks: Any,
    dtype: torch.dtype,
    metadata: Any = None,
) -> Tensor:
    return _of_type(
        dtype, storage, offset, size, stride, requires_grad, hooks, metadata
    )


def _of_type(
    dtype: torch.dtype,
    storage: Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    hooks: Any,
    metadata: Any,
) -> Tensor:
    if hooks or metadata or not isinstance(storage, Storage):
        raise ValueError('a tensor with more than its numbers')
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(
        type(number) is int and 0 <= number < 2**62 for number in numbers
    ):
        raise ValueError(f'a tensor of size {size} and stride {stride}')
    made = torch.empty(0, dtype=dtype, device=storage.untyped.device)
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if count else 0
    held = storage.untyped.nbytes()
    if count and (last + 1) * made.element_size() > held:
        raise ValueError(f'a tensor up to element {last} in a storage of {held} bytes')
    # Of one number, an expanded tensor can have terabytes, which a copy of it takes.
    storage.budget.spend(count * made.element_size())
    made.set_(storage.untyped, offset if count else 0, size, stride)
    return made.requires_grad_(bool(requires_grad)) if requires_grad else made


def _parameter(
    data: Tensor, requires_grad: bool, hooks: Any, state: Any = None
) -> torch.nn.Parameter:
    if hooks or not isinstance(data, Tensor):
        raise ValueError('a parameter with more than its numbers')
    parameter = torch.nn.Parameter(data, bool(requires_grad))
    parameter.__dict__.update(_attributes(state or {}, torch.nn.Parameter))
    return parameter


def _with_attributes(
    function: Callable, kind: type, arguments: tuple, state: Any
) -> Tensor:
    """Stands for ``_rebuild_from_type_v2``: a tensor with attributes of its own."""
    if not any(function is allowed for allowed in _OF_TENSORS):
        raise ValueError('a tensor that is not rebuilt as one')
    rebuilt: Tensor = function(*arguments)
    if type(rebuilt) is not kind:
        raise ValueError(f'a tensor of {kind}')
    rebuilt.__dict__.update(_attributes(state or {}, kind))
    return rebuilt


def _meta_tensor(
    dtype: torch.dtype, size: tuple, stride: tuple, requires_grad: bool
) -> Tensor:
    return torch.empty_strided(
        size, stride, dtype=dtype, device='meta', requires_grad=bool(requires_grad)
    )


def _attributes(state: Any, kind: type) -> dict[str, Any]:
    """Attributes that stand for none of the class."""
    for name in state:
        if not isinstance(name, str) or hasattr(kind, name):
            raise ValueError(f'{name!r} is no attribute of its own')
    return dict(state)


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stands for ``getattr``: returns HistoryBuffer's statistics only."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise TypeError(
            'GLOBAL builtins.getattr was not an allowed global: a checkpoint '
            f'asks for {owner!r}.{name}'
        )
    return getattr(HistoryBuffer, name)


def _fill_history(buffer: HistoryBuffer, state: dict[str, Any]) -> None:
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


_HISTORY = ('max_length', '_log_history', '_count_history')


def _dtype(name: str, align: bool = False, copy: bool = False) -> np.dtype:
    if not re.fullmatch(r'[<=|]?([biu]1|[fiu][248])|\?', name):
        raise ValueError(f'numpy.dtype({name!r})')
    return np.dtype(name)


def _check_dtype(
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


def _fill_array(
    array: np.ndarray, version: int, shape: tuple, dtype: np.dtype, f: bool, data: bytes
) -> None:
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


def _counter(counts: Optional[dict] = None) -> Counter:
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


_OF_TENSORS: tuple[Callable[..., Tensor], ...] = (
    tensor,
    _tensor_v3,
    _parameter,
    _meta_tensor,
)
# The functions that a pickle may call, by the names of those that they stand for.
_FUNCTIONS: dict[str, Callable] = {
    'torch._utils._rebuild_tensor': tensor,
    'torch._utils._rebuild_tensor_v2': tensor,
    'torch._utils._rebuild_tensor_v3': _tensor_v3,
    'torch._utils._rebuild_parameter': _parameter,
    'torch._utils._rebuild_parameter_with_state': _parameter,
    'torch._utils._rebuild_meta_tensor_no_storage': _meta_tensor,
    'torch._tensor._rebuild_from_type_v2': _with_attributes,
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
    'numpy.dtype': _dtype,
    **{
        f'numpy.{core}.multiarray.{name}': function
        for core in ('core', '_core')  # numpy 1 and 2
        for name, function in (('_reconstruct', _empty_array), ('scalar', _scalar))
    },
}
_STORAGES = dict(
    Double='float64',
    Float='float32',
    Half='float16',
    BFloat16='bfloat16',
    Long='int64',
    Int='int32',
    Short='int16',
    Char='int8',
    Byte='uint8',
    Bool='bool',
    ComplexDouble='complex128',
    ComplexFloat='complex64',
)
NAMES: dict[str, Any] = {
    **_FUNCTIONS,
    **{
        f'torch.{kind}Storage': StorageType(getattr(torch, name))
        for kind, name in _STORAGES.items()
    },
    'torch.storage.UntypedStorage': StorageType(torch.uint8),
    **{
        str(value): value
        for value in vars(torch).values()
        if isinstance(value, torch.dtype)
    },
    'torch.Tensor': Tensor,
    'torch.nn.parameter.Parameter': torch.nn.Parameter,
    'numpy.ndarray': np.ndarray,
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
}
CALLABLE = tuple(_FUNCTIONS.values())
