"""The projects whose checkpoints can be converted, one module for each.

Such a module has

- ``NAME``: what its checkpoints are, in a few words;
- ``matches(state_dict, meta)``: whether a checkpoint comes from this project;
- ``convert(state_dict)``: returns the weights by this package's parameter names and
  one line that says which model they fit; raises :class:`UserError` if parameters
  are missing or left over.

``SOURCES`` lists them; :func:`register_source` adds one that is in another folder.
"""

from types import ModuleType

from . import (
    authors_imagenet,
    cbam,
    efficientnet_lite,
    gsop,
    mmdet1,
    mmdet2,
    mmdet3,
    mmpretrain,
    timm,
    torchvision,
)

SOURCES: list[ModuleType] = [
    authors_imagenet,
    timm,
    mmpretrain,
    cbam,
    gsop,
    efficientnet_lite,
    torchvision,
    mmdet2,
    mmdet3,
    mmdet1,
]


def register_source(source: ModuleType) -> None:
    """Adds a source to those that the converter knows."""
    if source not in SOURCES:
        SOURCES.append(source)


__all__ = [
    'SOURCES',
    'authors_imagenet',
    'efficientnet_lite',
    'mmpretrain',
    'register_source',
    'timm',
]
