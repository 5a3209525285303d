"""Detectors of MMDetection 2.x: our names already, and boxes as in 3.x.

MMDetection 3.x loads them as they are, and its model zoo hands them out; only
DETR and its relatives have other parameters now.
"""

from typing import Tuple

from ...errors import UserError
from ..files import StateDict
from .mmdet3 import major_version

NAME = 'an MMDetection 2.x detector'


def matches(state_dict: StateDict, meta: dict) -> bool:
    """By the version in ``meta``, else by the ``roi_head`` that 1.x had not."""
    if 'mmengine_version' in meta or 'mmdet_eca' in meta:
        return False
    version = major_version(meta)
    return version == 2 or (
        version is None and any(name.startswith('roi_head.') for name in state_dict)
    )


def convert(state_dict: StateDict) -> Tuple[StateDict, str]:
    """Nothing is to be renamed.

    Raises:
        UserError: If it is a relative of DETR.
    """
    for name in state_dict:
        if name.startswith('bbox_head.transformer.'):
            raise UserError(
                f'the checkpoint has {name!r}: MMDetection 3.x has rebuilt the '
                "DETRs of 2.x; take the weights of 3.x's own model zoo"
            )
    return state_dict, 'nothing to rename, for configs of 3.x as they are'
