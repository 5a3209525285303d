"""The ECA-Net authors' ImageNet weights, whose parameter names are this package's.

https://github.com/BangguWu/ECANet, ``models/eca_resnet.py``.
"""

from ..files import StateDict
from ..resnet import check_resnet

NAME = "the ECA-Net authors' ImageNet weights"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether it is a ResNet by torchvision's names with ECA and a classifier."""
    return {'conv1.weight', 'layer1.0.eca.conv.weight', 'fc.weight'} <= set(state_dict)


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Checks the weights and returns them as they are."""
    return state_dict, str(check_resnet(state_dict))
