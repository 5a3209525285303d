"""The CBAM authors' ImageNet weights.

https://github.com/Jongchan/attention-module, ``MODELS/model_resnet.py`` and
``MODELS/cbam.py``.
"""

import re

from ...errors import UserError
from ..files import StateDict
from ..resnet import check_resnet

NAME = "the CBAM authors' ImageNet weights"
_RENAMED = {
    'ChannelGate.mlp.1': 'fc1',
    'ChannelGate.mlp.3': 'fc2',
    'SpatialGate.spatial.conv': 'conv',
    'SpatialGate.spatial.bn': 'bn',
}
_BAM = re.compile(r'bam\d\.')


def matches(state_dict: StateDict, meta: dict) -> bool:
    """By the names of CBAM's channel gate, or of BAM, which is in the same code."""
    return any('.cbam.ChannelGate.' in name or _BAM.match(name) for name in state_dict)


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Renames the layers of both gates.

    Raises:
        UserError: If the weights are of BAM, are of a network for CIFAR, or are not
            whole.
    """
    for name in state_dict:
        if _BAM.match(name):
            raise UserError(
                f'the checkpoint has {name!r}: it is of BAM, which sits between the '
                'stages and has no backbone here; take the weights of CBAM'
            )
    stem = state_dict.get('conv1.weight')
    if stem is not None and stem.shape[2:] == (3, 3):
        raise UserError(
            'conv1.weight is 3x3: the checkpoint is of a network for the small images '
            'of CIFAR; take the weights for ImageNet, whose first convolution is 7x7'
        )
    pattern = '|'.join(map(re.escape, _RENAMED))
    converted = {
        re.sub(
            rf'(?<=\.cbam\.)({pattern})(?=\.)', lambda found: _RENAMED[found[0]], name
        ): value
        for name, value in state_dict.items()
    }
    return converted, str(check_resnet(converted))
