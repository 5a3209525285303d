"""Loads what torch and mmengine pickle into checkpoints, and nothing else.

mmengine stores its message hub, with numpy arrays and methods of HistoryBuffer, in
every checkpoint. From torch 2.6 on, ``torch.serialization.add_safe_globals`` makes
``weights_only=True`` accept them. Older versions of torch have no such function, or
one that does not take all of them; for these versions the unpickler in this file
accepts the same. No more of them will come, so the private functions of torch that
it uses stay as they are.
"""

import codecs
import pickle
from collections import Counter, OrderedDict
from types import SimpleNamespace
from typing import Any, BinaryIO, Callable, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version
from torch import _weights_only_unpickler

MapLocation = Union[None, str, torch.device, dict, Callable]
_HAS_SAFE_GLOBALS = digit_version(torch.__version__) >= digit_version('2.6')


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stands for ``getattr`` in a pickle: returns HistoryBuffer's statistics only."""
    if owner is not HistoryBuffer or name not in ('current', 'max', 'mean', 'min'):
        raise pickle.UnpicklingError(
            'GLOBAL builtins.getattr was not an allowed global: a checkpoint '
            f'asks for {owner!r}.{name}'
        )
    return getattr(HistoryBuffer, name)


def _mmengine_globals() -> dict[str, Any]:
    """Returns the classes and functions in mmengine's checkpoints.

    The keys are their names in a pickle.
    """
    # Arrays name functions of a module that numpy 2 has renamed.
    multiarray = dict(
        _reconstruct=np.zeros(1).__reduce__()[0], scalar=np.float64(0).__reduce__()[0]
    )
    dtypes = {type(np.dtype(name)) for name in ('f8', 'f4', 'i8', 'i4', '?')}
    found = {
        f'{cls.__module__}.{cls.__qualname__}': cls
        for cls in (HistoryBuffer, np.ndarray, np.dtype, *dtypes)
    }
    for package in ('numpy.core', 'numpy._core'):
        for name, function in multiarray.items():
            found[f'{package}.multiarray.{name}'] = function
    found['builtins.getattr'] = _history_buffer_method
    return found


def allow_mmengine_checkpoints() -> None:
    """Makes ``torch.load`` of torch 2.6 or later read mmengine's checkpoints."""
    if _HAS_SAFE_GLOBALS:
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in _mmengine_globals().items()]
        )


def load(file: BinaryIO, map_location: MapLocation) -> Any:
    """Loads what ``torch.save`` has written, without running code in it.

    Args:
        file (BinaryIO): The open file.
        map_location: As in ``torch.load``.

    Raises:
        Exception: Of many kinds, if the file is not whole; an UnpicklingError
            with 'GLOBAL <name>' if it asks for a class or function that is not
            allowed.
    """
    if _HAS_SAFE_GLOBALS:
        return torch.load(file, map_location=map_location, weights_only=True)
    serialization = torch.serialization
    if not serialization._is_zipfile(file):  # before torch 1.6
        return serialization._legacy_load(
            file, map_location, _SAFE_PICKLE, encoding='utf-8'
        )
    with serialization._open_zipfile_reader(file) as archive:
        if serialization._is_torchscript_zip(archive):
            raise RuntimeError('TorchScript archives are programs')
        return serialization._load(
            archive, map_location, _SAFE_PICKLE, encoding='utf-8'
        )


class _Unpickler(pickle._Unpickler):
    """Finds allowed names only, and sets the state of objects of those classes only.

    The base is Python's unpickler and not that in C, which sets attributes of
    anything that a pickle names, such as a class or a function.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module == '__builtin__':  # by torch.save's protocol
            module = 'builtins'
        if f'{module}.{name}' not in _ALLOWED:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} was not an allowed global'
            )
        return _ALLOWED[f'{module}.{name}']

    def load_build(self) -> None:
        kind = type(self.stack[-2])  # type: ignore[attr-defined]
        if kind not in _MAY_SET_STATE:
            raise pickle.UnpicklingError(
                f'GLOBAL {kind.__module__}.{kind.__qualname__} was not an '
                'allowed global to set the state of'
            )
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]


_ALLOWED = {
    # Plain values that later versions of torch allow beside those of torch 2.1.
    '_codecs.encode': codecs.encode,
    'builtins.bytearray': bytearray,
    'builtins.complex': complex,
    'builtins.set': set,
    'collections.Counter': Counter,
    'torch.device': torch.device,
    **_weights_only_unpickler._get_allowed_globals(),
    **_mmengine_globals(),
}
_MAY_SET_STATE = (
    OrderedDict,
    *(value for value in _mmengine_globals().values() if isinstance(value, type)),
)
# torch's functions take this for Python's module ``pickle``.
_SAFE_PICKLE = SimpleNamespace(
    __name__=__name__,
    Unpickler=_Unpickler,
    load=lambda file, **kwargs: _Unpickler(file, **kwargs).load(),
)
