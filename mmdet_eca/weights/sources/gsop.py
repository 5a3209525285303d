"""The ImageNet weights of GSoP-Net1's authors.

https://github.com/ZilinGao/Global-Second-order-Pooling-Convolutional-Networks,
``torchvision/models/resnet.py``.
"""

import re

from ...errors import UserError
from ..files import StateDict
from ..resnet import check_resnet

NAME = "the GSoP authors' ImageNet weights"
_RENAMED = {
    'conv_for_DR': 'conv',
    'bn_for_DR': 'bn',
    'row_bn': 'row_bn',
    'row_conv_group': 'row_conv',
    'fc_adapt_channels': 'fc',
}
# Layers of the authors' other networks, and what these are.
_OTHERS = {
    'layer_reduce': 'of GSoP-Net2, which ends in a covariance',
    '_spatial': 'of attention to positions, alone or beside that to channels',
}


def matches(state_dict: StateDict, meta: dict) -> bool:
    """By the layer that reduces the channels before their covariance."""
    return any(
        re.match(r'layer\d\.\d+\.conv_for_DR(_spatial)?\.', name) for name in state_dict
    )


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Renames the attention's layers, which lie in the residual block itself.

    Raises:
        UserError: If the weights are of GSoP-Net2 or of attention to positions, or
            are not whole.
    """
    for part, network in _OTHERS.items():
        for name in state_dict:
            if part in name:
                raise UserError(
                    f'the checkpoint has {name!r}: it is {network}; take the weights '
                    'of GSoP-Net1 with attention to channels'
                )
    pattern = '|'.join(_RENAMED)
    converted = {
        re.sub(
            rf'^(layer\d\.\d+)\.({pattern})\.',
            lambda found: f'{found[1]}.gsop.{_RENAMED[found[2]]}.',
            name,
        ): value
        for name, value in state_dict.items()
    }
    return converted, (
        f'{check_resnet(converted)}, as classifier with strides=(1, 2, 2, 1), '
        'in a detector with the strides of mmdet'
    )
