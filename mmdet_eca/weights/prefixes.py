"""The names of checkpoints that this package adds to mmengine's.

What loads them is imported when something is loaded.
"""

from typing import Any

from mmengine.runner import CheckpointLoader

PREFIXES = ('ecanet://', 'timm://', 'mmpretrain://', 'efficientnet-lite://')
# Regular expressions, of which mmengine takes the last in the order of the alphabet.
_SAFETENSORS = (r'https?://.*\.safetensors$', r'(?!\w+://).*\.safetensors$')


def register_prefixes() -> None:
    """Registers the new names with mmengine; those that it has stay as they are."""
    CheckpointLoader.register_scheme(PREFIXES, _load_from_project)
    CheckpointLoader.register_scheme(_SAFETENSORS, _load_from_safetensors)


def _load_from_project(filename: str, map_location: Any = None) -> dict:
    from .schemes import load_from_project

    return load_from_project(filename, map_location)


def _load_from_safetensors(filename: str, map_location: Any = None) -> dict:
    from .schemes import load_from_safetensors

    return load_from_safetensors(filename, map_location)
