"""torchvision's ResNets, whose parameter names are this package's."""

from ..files import StateDict
from ..resnet import check_resnet

NAME = "torchvision's ImageNet weights"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether it is a ResNet with a classifier, and without attention weights."""
    attention = ('eca', 'se', 'se_layer', 'cbam', 'gsop', 'context_block')
    return {'conv1.weight', 'layer1.0.conv1.weight', 'fc.weight'} <= set(
        state_dict
    ) and not any(
        name.split('.')[2:3] == [kind] for name in state_dict for kind in attention
    )


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Checks the weights and returns them as they are."""
    return state_dict, str(check_resnet(state_dict))
