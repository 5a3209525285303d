"""Makes ``torch.load`` itself read what mmengine adds to a checkpoint."""

from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

from .rebuilding import NAMES

_HAS_SAFE_GLOBALS = digit_version(torch.__version__) >= digit_version('2.6')


def allow_mmengine_checkpoints() -> None:
    """Makes ``torch.load`` of torch 2.6 or later read mmengine's checkpoints.

    The package itself reads by :func:`read_checkpoint`, which checks more.
    """
    if _HAS_SAFE_GLOBALS:
        torch.serialization.add_safe_globals(
            [(value, name) for name, value in _mmengine_globals().items()]
        )


def _mmengine_globals() -> dict[str, Any]:
    """Returns classes and functions by their names in mmengine's checkpoints."""
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
    found['builtins.getattr'] = NAMES['builtins.getattr']
    return found
