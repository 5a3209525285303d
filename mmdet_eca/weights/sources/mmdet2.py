"""Detectors of MMDetection 2.x, whose parameter names and boxes are those of 3.x.

MMDetection 3.x loads them as they are, and its model zoo links to them; only DETR
and its relatives have other parameters in 3.x.
"""

from ...errors import UserError
from ..files import StateDict
from .mmdet3 import major_version

NAME = 'an MMDetection 2.x detector'


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether ``meta`` says version 2, or a ``roi_head`` does.

    The latter counts where ``meta`` says no version; 1.x had no ``roi_head``.
    """
    if 'mmengine_version' in meta or 'mmdet_eca' in meta:
        return False
    version = major_version(meta)
    return version == 2 or (
        version is None and any(name.startswith('roi_head.') for name in state_dict)
    )


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Returns the weights as they are.

    Raises:
        UserError: If the detector is a relative of DETR.
    """
    for name in state_dict:
        if name.startswith('bbox_head.transformer.'):
            raise UserError(
                f'the checkpoint has {name!r}: MMDetection 3.x has rebuilt the '
                "DETRs of 2.x; take the weights of 3.x's own model zoo"
            )
    return state_dict, 'nothing to rename, for configs of 3.x as they are'
