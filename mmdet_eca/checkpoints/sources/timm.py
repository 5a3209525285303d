"""timm's ecaresnet50d, 101d, 200d and 269d: ResNet-D with ECA as ``se``.

https://github.com/huggingface/pytorch-image-models, ``timm/models/resnet.py``.
"""

import re

from ..files import StateDict
from ..resnet import check_resnet

NAME = "timm's ecaresnet weights"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether there is ECA by the name that timm gives to any attention."""
    return 'layer1.0.se.conv.weight' in state_dict


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Renames the deep stem and the attention; a plain stem keeps its names.

    timm's average-pooled shortcut is (pool, convolution, norm) in every stage,
    as mmdet's: the numbers in ``downsample`` are the same.
    """
    deep_stem = 'conv1.0.weight' in state_dict
    converted = {}
    for name, value in state_dict.items():
        name = re.sub(r'^(layer\d\.\d+)\.se\.', r'\1.eca.', name)
        if deep_stem:
            name = re.sub(r'^conv1\.', 'stem.', name)
            name = re.sub(r'^bn1\.', 'stem.7.', name)
        converted[name] = value
    return converted, str(check_resnet(converted))
