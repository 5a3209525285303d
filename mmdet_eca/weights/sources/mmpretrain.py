"""MMPretrain's ResNets, plain and with squeeze-and-excitation.

https://github.com/open-mmlab/mmpretrain,
``mmpretrain/models/backbones/seresnet.py`` and ``models/utils/se_layer.py``.
"""

import re

from ..files import StateDict
from ..resnet import check_resnet

NAME = "MMPretrain's ImageNet weights"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether there are a ``backbone`` and a classifier ``head``."""
    return {'backbone.layer1.0.conv1.weight', 'head.fc.weight'} <= set(state_dict)


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Removes the prefixes, and makes SE's two 1x1 convolutions linear layers."""
    converted = {}
    for name, value in state_dict.items():
        name = re.sub(r'^(backbone|head)\.', '', name)
        renamed = re.sub(r'\.se_layer\.conv([12])\.conv\.', r'.se.fc\1.', name)
        if renamed != name and value.dim() == 4:
            value = value.flatten(1)  # (out, in, 1, 1)
        converted[renamed] = value
    return converted, str(check_resnet(converted))
