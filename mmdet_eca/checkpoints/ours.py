"""Checkpoints of this package or of MMDetection 3.x: our names already."""
from .files import StateDict

NAME = 'a checkpoint of this package or of MMDetection 3.x'


def matches(state_dict: StateDict, meta: dict) -> bool:
    """mmengine or this package's converter has written it, with a backbone."""
    return ('mmengine_version' in meta or 'mmdet_eca' in meta) and any(
        name.startswith(('backbone.layer', 'layer')) for name in state_dict)


def convert(state_dict: StateDict) -> StateDict:
    """Nothing is to be renamed."""
    return state_dict
