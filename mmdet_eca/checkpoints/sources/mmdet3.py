"""Checkpoints of this package or of MMDetection 3.x: our names already."""

import re
from typing import Optional, Tuple

from ..files import StateDict

NAME = 'a checkpoint of this package or of MMDetection 3.x'


def major_version(meta: dict) -> Optional[int]:
    """Of the MMDetection that has written a checkpoint; mmcv's ones say it."""
    found = re.match(r'v?(\d+)', str(meta.get('mmdet_version', '')))
    return int(found[1]) if found else None


def matches(state_dict: StateDict, meta: dict) -> bool:
    """With a backbone, by what mmengine or our converter put into ``meta``, or
    by MMDetection's version."""
    return (
        'mmengine_version' in meta or 'mmdet_eca' in meta or major_version(meta) == 3
    ) and any(name.startswith(('backbone.layer', 'layer')) for name in state_dict)


def convert(state_dict: StateDict) -> Tuple[StateDict, str]:
    """Nothing is to be renamed."""
    return state_dict, 'nothing to rename'
