"""torchvision's ResNets, whose parameter names are this package's."""

from ..files import StateDict
from ..resnet import check_resnet

NAME = "torchvision's ImageNet weights"
# The first ones of each depth; the second ones need another recipe for detection.
_FILES = {
    18: 'resnet18-f37072fd.pth',
    34: 'resnet34-b627a593.pth',
    50: 'resnet50-0676ba61.pth',
    101: 'resnet101-63fe2227.pth',
    152: 'resnet152-394f9c45.pth',
}


def address(depth: int | None) -> str | None:
    """Returns the URL of a ResNet's first weights; None if there are none."""
    file = _FILES.get(depth or 0)
    return file and f'https://download.pytorch.org/models/{file}'


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
