"""Reads checkpoints safely, and converts other people's to this package's names.

Every file comes in through ``files.py``, whoever asks for it: mmengine (by
``schemes.py``), the converter (``convert.py``). ``sources/`` knows whose is whose.
"""

from .convert import convert_checkpoint
from .schemes import local_path, register_schemes
from .unpickling import allow_mmengine_checkpoints

__all__ = [
    'allow_mmengine_checkpoints',
    'convert_checkpoint',
    'local_path',
    'register_schemes',
]
