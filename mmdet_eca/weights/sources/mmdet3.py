"""Checkpoints of this package or of MMDetection 3.x, which stay as they are."""

import re

from ..files import StateDict

NAME = 'a checkpoint of this package or of MMDetection 3.x'


def major_version(meta: dict) -> int | None:
    """Returns the major version of the MMDetection that wrote a checkpoint.

    None if its ``meta`` does not say it.
    """
    found = re.match(r'v?(\d+)', str(meta.get('mmdet_version', '')))
    return int(found[1]) if found else None


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether there is a backbone, and ``meta`` says who wrote the checkpoint.

    That is mmengine, this package's converter or MMDetection 3.
    """
    return (
        'mmengine_version' in meta or 'mmdet_eca' in meta or major_version(meta) == 3
    ) and any(name.startswith(('backbone.layer', 'layer')) for name in state_dict)


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Returns the weights as they are."""
    return state_dict, 'nothing to rename'
