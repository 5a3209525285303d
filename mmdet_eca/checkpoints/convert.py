import os.path as osp
from types import ModuleType
from typing import Optional, Tuple

from ..errors import UserError
from . import (authors_imagenet, mmdet1, mmdet2, mmpretrain, ours, timm,
               torchvision)
from .files import StateDict, read_weights, write_checkpoint
from .resnet import Backbone, check_resnet

SOURCES = (authors_imagenet, timm, mmpretrain, torchvision, mmdet1, mmdet2,
           ours)


def convert_checkpoint(path: str,
                       out: str,
                       mmdet_version: Optional[str] = None) -> str:
    """Converts a checkpoint from elsewhere to this package's names.

    Args:
        path (str): A file of one of the ``SOURCES``.
        out (str): Where to write the weights; the file appears whole, and only
            if all went well.
        mmdet_version (str, optional): Which MMDetection has written the file,
            for one that does not say it.

    Returns:
        str: What the file is and what it fits, one line.

    Raises:
        UserError: If the file is not read safely, its source is not known, it
            is not whole, something is left over, it says another version, or
            ``out`` is ``path``.
    """
    if osp.realpath(path) == osp.realpath(out):
        raise UserError(f'{out} is the file to convert: give another name')
    state_dict, meta = read_weights(path)
    if mmdet_version is not None:
        written = meta.setdefault('mmdet_version', mmdet_version)
        if written != mmdet_version:
            raise UserError(f'{path} is of MMDetection {written}, not '
                            f'{mmdet_version}: leave --mmdet-version out')
    source = recognise(path, state_dict, meta, SOURCES)
    converted, backbone = convert_state_dict(source, state_dict)
    kept = {
        key: meta[key]
        for key in ('CLASSES', 'dataset_meta', 'epoch', 'iter')
        if meta.get(key) is not None
    }
    if 'CLASSES' in kept:
        kept['dataset_meta'] = dict(classes=tuple(kept.pop('CLASSES')))
    write_checkpoint(
        dict(
            state_dict=converted,
            meta=dict(kept, mmdet_eca=f'converted from {source.NAME}')), out)
    fitting = _fitting(source, state_dict, backbone)
    return (f'{path}: {source.NAME}, {fitting}; {len(converted)} tensors in '
            f'{out}')


def _fitting(source: ModuleType, state_dict: StateDict,
             backbone: Optional[Backbone]) -> str:
    """What the weights are for."""
    if source is mmdet2:
        return 'nothing to rename, for configs of 3.x as they are'
    if backbone is None:
        return 'nothing to rename'
    if source is not mmdet1:
        return str(backbone)
    detector = mmdet1.detector(state_dict)
    name = f'legacy/{detector}_eca_r{backbone.arguments["depth"]}_fpn_1x.py'
    if backbone.type == 'ECAResNet':
        return f'{detector} with {backbone}, for configs/{name}'
    return f'{detector} with {backbone}'


def recognise(path: str, state_dict: StateDict, meta: dict,
              sources: Tuple[ModuleType, ...]) -> ModuleType:
    """The source, of those given, that a checkpoint is of.

    Raises:
        UserError: If it is of none of them.
    """
    for source in sources:
        if source.matches(state_dict, meta):
            return source
    known = '; '.join(source.NAME for source in sources)
    raise UserError(f'{path} is none of: {known}. Its first tensor is '
                    f'{next(iter(state_dict))!r}')


def convert_state_dict(
        source: ModuleType,
        state_dict: StateDict) -> Tuple[StateDict, Optional[Backbone]]:
    """The weights by our names, and which backbone they are.

    Our own checkpoints and those of MMDetection 2.x may be of any detector,
    and nothing in them is renamed: for them it is None.

    Raises:
        UserError: If they are not whole, or something is left over.
    """
    converted = source.convert(state_dict)
    if source in (ours, mmdet2):
        return converted, None
    if source is mmdet1:
        prefix = 'backbone.'
        return converted, check_resnet({
            name[len(prefix):]: value
            for name, value in converted.items() if name.startswith(prefix)
        })
    return converted, check_resnet(converted)
