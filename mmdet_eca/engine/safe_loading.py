"""Lets torch's safe loading (``weights_only=True``) read mmengine's checkpoints.

From torch 2.6 on ``torch.load`` refuses what it does not know, and mmengine
0.10.7 keeps its message hub, with numpy scalars and methods of HistoryBuffer,
in every checkpoint. Exactly these are allowed here, nothing else.
"""
import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version


def _history_buffer_method(owner: type, name: str):
    """What a checkpoint may ask of ``getattr``: the statistics methods."""
    if owner is not HistoryBuffer or name not in ('current', 'max', 'mean',
                                                  'min'):
        raise ValueError(f'a checkpoint asks for {owner!r}.{name}')
    return getattr(HistoryBuffer, name)


def allow_mmengine_checkpoints() -> None:
    """Adds mmengine's classes to those that torch's safe loading admits."""
    if digit_version(torch.__version__) < digit_version('2.6'):
        return
    multiarray = getattr(np, '_core', None) or np.core  # renamed in numpy 2
    dtypes = {type(np.dtype(name)) for name in ('f8', 'f4', 'i8', 'i4', '?')}
    torch.serialization.add_safe_globals([
        HistoryBuffer, np.ndarray, np.dtype, *dtypes,
        (multiarray.multiarray._reconstruct,
         'numpy.core.multiarray._reconstruct'),
        (multiarray.multiarray._reconstruct,
         'numpy._core.multiarray._reconstruct'),
        (multiarray.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (multiarray.multiarray.scalar, 'numpy._core.multiarray.scalar'),
        (_history_buffer_method, 'builtins.getattr'),
        (_history_buffer_method, '__builtin__.getattr')
    ])
