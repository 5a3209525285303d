"""Reads checkpoints safely, and converts them to this package's parameter names.

``files.py`` reads every file, for mmengine (through ``schemes.py``) and for the
converter (``convert.py``) alike. ``sources/`` has one file for each project whose
checkpoints can be converted.
"""

from .add_attention import add_attention
from .convert import convert_checkpoint
from .safe_globals import allow_mmengine_checkpoints
from .schemes import local_path, register_schemes

__all__ = [
    'add_attention',
    'allow_mmengine_checkpoints',
    'convert_checkpoint',
    'local_path',
    'register_schemes',
]
