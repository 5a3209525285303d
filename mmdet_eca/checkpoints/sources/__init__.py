"""Where weights come from, one file a source.

A source is a module with

- ``NAME``, what its checkpoints are, in a few words;
- ``matches(state_dict, meta)``, whether a checkpoint is of it;
- ``convert(state_dict)``, the weights by our names and one line on what they fit;
  it raises :class:`UserError` if they are not whole, or something is left over.

``SOURCES`` lists them; :func:`register_source` adds one from another folder.
"""

from types import ModuleType
from typing import List

from . import authors_imagenet, mmdet2, mmdet3, mmpretrain, timm, torchvision
from .mmdet3 import major_version

SOURCES: List[ModuleType] = [
    authors_imagenet,
    timm,
    mmpretrain,
    torchvision,
    mmdet2,
    mmdet3,
]


def register_source(source: ModuleType) -> None:
    """Makes the converter know a source."""
    if source not in SOURCES:
        SOURCES.append(source)


__all__ = [
    'SOURCES',
    'authors_imagenet',
    'major_version',
    'mmpretrain',
    'register_source',
    'timm',
]
