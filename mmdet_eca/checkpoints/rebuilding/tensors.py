"""Tensors, and the bytes that they lie in."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


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
    parameter.__dict__.update(attributes(state or {}, torch.nn.Parameter))
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
    rebuilt.__dict__.update(attributes(state or {}, kind))
    return rebuilt


def _meta_tensor(
    dtype: torch.dtype, size: tuple, stride: tuple, requires_grad: bool
) -> Tensor:
    return torch.empty_strided(
        size, stride, dtype=dtype, device='meta', requires_grad=bool(requires_grad)
    )


def attributes(state: Any, kind: type) -> dict[str, Any]:
    """Attributes that stand for none of the class."""
    for name in state:
        if not isinstance(name, str) or hasattr(kind, name):
            raise ValueError(f'{name!r} is no attribute of its own')
    return dict(state)


_OF_TENSORS: tuple[Callable[..., Tensor], ...] = (
    tensor,
    _tensor_v3,
    _parameter,
    _meta_tensor,
)
# By the names of those that they stand for.
FUNCTIONS: dict[str, Callable] = {
    'torch._utils._rebuild_tensor': tensor,
    'torch._utils._rebuild_tensor_v2': tensor,
    'torch._utils._rebuild_tensor_v3': _tensor_v3,
    'torch._utils._rebuild_parameter': _parameter,
    'torch._utils._rebuild_parameter_with_state': _parameter,
    'torch._utils._rebuild_meta_tensor_no_storage': _meta_tensor,
    'torch._tensor._rebuild_from_type_v2': _with_attributes,
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
STORAGE_TYPES = {
    'torch.storage.UntypedStorage': StorageType(torch.uint8),
    **{
        f'torch.{kind}Storage': StorageType(getattr(torch, name))
        for kind, name in _STORAGES.items()
    },
}
