"""Rebuilds the tensors, arrays and other objects that a checkpoint's pickle describes.

Each function stands for the one of torch, numpy or Python that the pickle names, and
takes only what these write. What does not fit raises an exception of any kind.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from . import arrays, tensors, values
from .tensors import Budget, Storage, StorageType
from .values import check_key

__all__ = [
    'CALLABLE',
    'NAMES',
    'Budget',
    'Storage',
    'StorageType',
    'check_key',
    'set_state',
]


def set_state(owner: Any, state: Any) -> None:
    """Gives a rebuilt object its state."""
    kind = type(owner)
    if kind is OrderedDict:  # a state dict's _metadata
        owner.__dict__.update(tensors.attributes(state, OrderedDict))
    elif kind is HistoryBuffer:
        values.fill_history(owner, dict(state))
    elif kind is np.ndarray:
        arrays.fill_array(owner, *state)
    elif isinstance(owner, np.dtype):
        arrays.check_dtype(owner, *state)
    else:
        name = f'{kind.__module__}.{kind.__qualname__}'
        raise TypeError(f'GLOBAL {name} was not an allowed global to set the state of')


# The functions that a pickle may call.
_FUNCTIONS: dict[str, Callable] = {
    **tensors.FUNCTIONS,
    **arrays.FUNCTIONS,
    **values.FUNCTIONS,
}
NAMES: dict[str, Any] = {
    **_FUNCTIONS,
    **tensors.STORAGE_TYPES,
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
