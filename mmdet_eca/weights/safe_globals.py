"""Lets ``torch.load(weights_only=True)`` read what mmengine adds to a checkpoint.

That is HistoryBuffer, which names its methods by ``getattr``, and numbers and arrays of
numpy. Each name in a pickle stands for what is given for it here, and for nothing else.
"""

import re
from collections.abc import Callable
from pickle import UnpicklingError

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_STATISTICS = ('current', 'max', 'mean', 'min')
_NUMBER = re.compile('[biu]1|[fiu][248]')


def allow_mmengine_checkpoints() -> None:
    """Adds mmengine's types, and those of numpy in them, to torch's allow-list."""
    # numpy 2 has renamed the module of these two functions.
    functions = dict(
        _reconstruct=np.zeros(1).__reduce__()[0], scalar=np.float64(0).__reduce__()[0]
    )
    # All with their names: the fork of mmengine allows some of them while it loads, and
    # takes them off the list afterwards, but not these pairs.
    allowed: list[Callable | tuple[Callable, str]] = [
        (HistoryBuffer, f'{HistoryBuffer.__module__}.HistoryBuffer'),
        (np.ndarray, 'numpy.ndarray'),
        (_statistic, 'builtins.getattr'),
        (_number_type, 'numpy.dtype'),
    ]
    for core in ('core', '_core'):
        for name, function in functions.items():
            allowed.append((function, f'numpy.{core}.multiarray.{name}'))
    # Their objects may get a state, but no pickle can name them: names have a dot.
    allowed += [
        (type(np.dtype(f'{kind}{size}')), f'{kind}{size}')
        for kind, sizes in dict(b='1', i='1248', u='1248', f='248').items()
        for size in sizes
    ]
    torch.serialization.add_safe_globals(allowed)


def _statistic(owner: type, name: str) -> Callable:
    """Stands for ``getattr``, and returns HistoryBuffer's statistics only."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise UnpicklingError(
            f'GLOBAL builtins.getattr was not an allowed global for {owner!r}.{name}'
        )
    return getattr(HistoryBuffer, name)


def _number_type(name: str, align: bool = False, copy: bool = False) -> np.dtype:
    """Stands for ``numpy.dtype``, and returns numpy's own object for a type of number.

    The state that a pickle then gives it has no effect. A copy, which ``numpy.dtype``
    makes for a pickle, believes it, and takes numbers for addresses of objects.
    """
    if not _NUMBER.fullmatch(name):
        raise UnpicklingError(f'numpy.dtype({name!r}) is no type of numbers')
    return np.dtype(name)
