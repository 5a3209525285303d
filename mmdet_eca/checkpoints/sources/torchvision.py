"""torchvision's ResNets: our names already."""

from typing import Tuple

from ..files import StateDict
from ..resnet import check_resnet

NAME = "torchvision's ImageNet weights"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """A ResNet with a classifier and no attention that has weights."""
    attention = ('eca', 'se', 'se_layer')
    return {'conv1.weight', 'layer1.0.conv1.weight', 'fc.weight'} <= set(
        state_dict
    ) and not any(
        name.split('.')[2:3] == [kind] for name in state_dict for kind in attention
    )


def convert(state_dict: StateDict) -> Tuple[StateDict, str]:
    """Nothing is to be renamed."""
    return state_dict, str(check_resnet(state_dict))
