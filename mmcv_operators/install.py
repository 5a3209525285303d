"""Makes the operators known to an mmcv that has none."""

import importlib
import os
import os.path as osp
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec

NAME = 'mmcv._ext'
_FILE = '''"""mmcv's operators, without compiling; by `python -m mmcv_operators`."""
from mmcv_operators.extension import *  # noqa: F403
from mmcv_operators.extension import __getattr__  # noqa: F401
'''


def mmcv_folder() -> str | None:
    """Returns the folder of the installed mmcv, without importing it; None if none."""
    spec = find_spec('mmcv')
    if spec is None or spec.origin is None:
        return None
    return osp.dirname(spec.origin)


def has_compiled_operators() -> bool:
    """Returns whether the installed mmcv has a compiled ``mmcv._ext``."""
    folder = mmcv_folder()
    return folder is not None and any(
        osp.exists(osp.join(folder, f'_ext{suffix}')) for suffix in EXTENSION_SUFFIXES
    )


def fill_gap() -> None:
    """Makes the operators ``mmcv._ext`` in this process, if mmcv has none."""
    if NAME not in sys.modules and not has_compiled_operators():
        sys.modules[NAME] = importlib.import_module('mmcv_operators.extension')


def install() -> str:
    """Makes the operators ``mmcv._ext`` in every process, if mmcv has none.

    It writes ``_ext.py`` into mmcv's folder. Python prefers a compiled module of that
    name, so a compiled mmcv that is installed over it later is used.

    Returns:
        str: What was done, for the user.

    Raises:
        RuntimeError: If there is no mmcv, or its folder cannot be written to.
    """
    folder = mmcv_folder()
    if folder is None:
        raise RuntimeError('mmcv is not installed: pip install mmcv-lite==2.1.0')
    if has_compiled_operators():
        return f'{folder} has compiled operators: nothing was changed'
    path = osp.join(folder, '_ext.py')
    if osp.exists(path):
        with open(path) as file:
            if file.read() == _FILE:
                return f'{path} is there already'
    try:
        with open(f'{path}.new', 'w') as file:
            file.write(_FILE)
        os.replace(f'{path}.new', path)
    except OSError as error:
        raise RuntimeError(f'{path} cannot be written: {error}') from None
    return f'wrote {path}: mmcv takes its operators from mmcv_operators'
