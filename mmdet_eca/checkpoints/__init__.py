"""Reads checkpoints safely, and converts them to this package's parameter names.

``files.py`` reads files, ``schemes.py`` adds names of checkpoints to mmengine's, and
``sources/`` has one file for each project whose checkpoints can be converted.
"""

from .add_attention import add_attention
from .convert import convert_checkpoint
from .files import explained_refusals, read_checkpoint, without_module
from .safe_globals import allow_mmengine_checkpoints
from .schemes import load_checkpoint, local_path, register_schemes

__all__ = [
    'add_attention',
    'allow_mmengine_checkpoints',
    'convert_checkpoint',
    'explained_refusals',
    'load_checkpoint',
    'local_path',
    'read_checkpoint',
    'register_schemes',
    'without_module',
]
