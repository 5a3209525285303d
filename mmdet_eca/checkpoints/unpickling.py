"""Loads what torch and mmengine pickle into checkpoints, and nothing else.

mmengine keeps its message hub, with numpy arrays and methods of HistoryBuffer,
in every checkpoint. From torch 2.6 on ``weights_only=True`` can be told to admit
them. Before, it cannot, so the same names are admitted by an unpickler of our
own; that range of torch is closed, so its private functions stay as they are.
"""

import codecs
import pickle
from collections import Counter, OrderedDict
from types import SimpleNamespace
from typing import Any, BinaryIO, Callable, Dict, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version
from torch import _weights_only_unpickler

MapLocation = Union[None, str, torch.device, dict, Callable]
_TORCH_IS_TOLD = digit_version(torch.__version__) >= digit_version('2.6')


def _history_buffer_method(owner: type, name: str):
    """What a checkpoint may ask of ``getattr``: the statistics methods."""
    if owner is not HistoryBuffer or name not in ('current', 'max', 'mean', 'min'):
        raise pickle.UnpicklingError(
            'GLOBAL builtins.getattr was not an allowed global: a checkpoint '
            f'asks for {owner!r}.{name}'
        )
    return getattr(HistoryBuffer, name)


def _mmengines_globals() -> Dict[str, Any]:
    """What mmengine's checkpoints need, by its names in a pickle."""
    # Functions of a module that numpy 2 has renamed, which arrays name.
    multiarray = dict(
        _reconstruct=np.zeros(1).__reduce__()[0], scalar=np.float64(0).__reduce__()[0]
    )
    dtypes = {type(np.dtype(name)) for name in ('f8', 'f4', 'i8', 'i4', '?')}
    found = {
        f'{admitted.__module__}.{admitted.__qualname__}': admitted
        for admitted in (HistoryBuffer, np.ndarray, np.dtype, *dtypes)
    }
    for package in ('numpy.core', 'numpy._core'):
        for name, function in multiarray.items():
            found[f'{package}.multiarray.{name}'] = function
    found['builtins.getattr'] = _history_buffer_method
    return found


def allow_mmengine_checkpoints() -> None:
    """Makes ``torch.load`` of torch 2.6 or later read mmengine's checkpoints."""
    if _TORCH_IS_TOLD:
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in _mmengines_globals().items()]
        )


def load(file: BinaryIO, map_location: MapLocation) -> Any:
    """What ``torch.save`` has written; no code in it is run.

    Raises:
        Exception: Of many kinds, if the file is not whole; an UnpicklingError
            with 'GLOBAL <name>' if a class or function would have to be used
            that is none of torch's, numpy's or mmengine's few.
    """
    if _TORCH_IS_TOLD:
        return torch.load(file, map_location=map_location, weights_only=True)
    serialization = torch.serialization
    if not serialization._is_zipfile(file):  # before torch 1.6
        return serialization._legacy_load(
            file, map_location, _OUR_PICKLE, encoding='utf-8'
        )
    with serialization._open_zipfile_reader(file) as archive:
        if serialization._is_torchscript_zip(archive):
            raise RuntimeError('TorchScript archives are programs')
        return serialization._load(archive, map_location, _OUR_PICKLE, encoding='utf-8')


class _Unpickler(pickle._Unpickler):
    """Knows the admitted names only, and fills no object but theirs.

    The one in Python, not that in C, since the latter sets attributes of
    whatever a pickle names, be it a class or a function.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module == '__builtin__':  # by torch.save's protocol
            module = 'builtins'
        if f'{module}.{name}' not in _ADMITTED:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} was not an allowed global'
            )
        return _ADMITTED[f'{module}.{name}']

    def load_build(self) -> None:
        kind = type(self.stack[-2])
        if kind not in _FILLED:
            raise pickle.UnpicklingError(
                f'GLOBAL {kind.__module__}.{kind.__qualname__} was not an '
                'allowed global to set the state of'
            )
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


_ADMITTED = {
    # What later ones have beside that of torch 2.1: plain values.
    '_codecs.encode': codecs.encode,
    'builtins.bytearray': bytearray,
    'builtins.complex': complex,
    'builtins.set': set,
    'collections.Counter': Counter,
    'torch.device': torch.device,
    **_weights_only_unpickler._get_allowed_globals(),
    **_mmengines_globals(),
}
_FILLED = (
    OrderedDict,
    *(value for value in _mmengines_globals().values() if isinstance(value, type)),
)
# What torch's functions take for Python's module.
_OUR_PICKLE = SimpleNamespace(
    __name__=__name__,
    Unpickler=_Unpickler,
    load=lambda file, **kwargs: _Unpickler(file, **kwargs).load(),
)
