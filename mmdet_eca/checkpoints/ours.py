"""Checkpoints of this package or of MMDetection 3.x: our names already."""
from .files import StateDict
from .mmdet1 import major_version

NAME = 'a checkpoint of this package or of MMDetection 3.x'


def matches(state_dict: StateDict, meta: dict) -> bool:
    """With a backbone, by what mmengine or our converter put into ``meta``, or
    by MMDetection's version."""
    return ('mmengine_version' in meta or 'mmdet_eca' in meta
            or major_version(meta) == 3) and any(
                name.startswith(('backbone.layer', 'layer'))
                for name in state_dict)


def convert(state_dict: StateDict) -> StateDict:
    """Nothing is to be renamed."""
    return state_dict
