"""Finds the ResNet that a state dict belongs to, and checks that it is whole."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck

from ..errors import UserError
from ..models import (
    AttentionResNet,
    AttentionResNetV1d,
    ECAResNet,
    ECAResNetV1d,
    SEResNet,
    SEResNetV1d,
)
from .files import StateDict

_CLASSES = dict(
    plain=(AttentionResNet, AttentionResNetV1d),
    eca=(ECAResNet, ECAResNetV1d),
    se=(SEResNet, SEResNetV1d),
)
HEAD = ('fc.weight', 'fc.bias')  # the classifier's, kept as torchvision does


class Backbone(NamedTuple):
    """A backbone of this package, as in a config."""

    type: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        arguments = (f'{key}={value}' for key, value in self.arguments.items())
        return f'{self.type}({", ".join(arguments)})'


def check_resnet(state_dict: StateDict) -> Backbone:
    """Finds the backbone of this package that weights belong to.

    torch's strict ``load_state_dict`` needs the network first, and lists every
    difference in a line of its own.

    Args:
        state_dict (dict[str, Tensor]): The weights by this package's parameter
            names; a classifier ``fc`` may be among them.

    Returns:
        Backbone: Class and arguments.

    Raises:
        UserError: If no backbone has such stages, a parameter is missing or left
            over, or a shape differs.
    """
    attention, arguments = _read_arguments(state_dict)
    deep_stem = 'stem.0.weight' in state_dict
    cls = _CLASSES[attention][deep_stem]
    backbone = Backbone(cls.__name__, arguments)
    stem = _get(state_dict, 'stem.6.weight' if deep_stem else 'conv1.weight')
    with torch.device('meta'):
        model = cls(**arguments, base_channels=stem.shape[0])
    expected = {name: value.shape for name, value in model.state_dict().items()}
    check_names(state_dict, expected, str(backbone), optional=HEAD)
    for name, shape in expected.items():
        if name in state_dict and state_dict[name].shape != shape:
            raise UserError(
                f'{name} is of shape {tuple(state_dict[name].shape)}, in '
                f'{backbone} it is {tuple(shape)}'
            )
    return backbone


def check_names(
    names: Collection[str],
    expected: Collection[str],
    what: str,
    optional: Collection[str] = (),
) -> None:
    """Checks that the names of a checkpoint's parameters are those expected.

    Batch norm's ``num_batches_tracked`` may be missing: torch before 0.4.1 did
    not store it, and inference does not use it.

    Args:
        names (Collection[str]): The names in the checkpoint.
        expected (Collection[str]): The names in the network.
        what (str): The network, for the message.
        optional (Collection[str]): Names that may be there too.

    Raises:
        UserError: If a name is missing or left over.
    """
    left_over = [
        name for name in names if name not in expected and name not in optional
    ]
    if left_over:
        raise UserError(
            f'the checkpoint has {left_over[0]!r} '
            f'({len(left_over)} names left over), which {what} '
            'does not have'
        )
    missing = [
        name
        for name in expected
        if name not in names and not name.endswith('num_batches_tracked')
    ]
    if missing:
        raise UserError(
            f'the checkpoint lacks {missing[0]!r} '
            f'({len(missing)} names missing) of {what}'
        )


def _read_arguments(state_dict: StateDict) -> tuple[str, dict[str, Any]]:
    """Returns the attention, a key of ``_CLASSES``, and the backbone's arguments."""
    stages: dict[str, set] = {}
    for name in state_dict:
        found = re.match(r'layer(\d)\.(\d+)\.', name)
        if found:
            stages.setdefault(found[1], set()).add(int(found[2]))
    blocks = tuple(len(stages[stage]) for stage in sorted(stages))
    block = Bottleneck if 'layer1.0.conv3.weight' in state_dict else BasicBlock
    arch_settings = (
        ECAResNetV1d if 'stem.0.weight' in state_dict else ECAResNet
    ).arch_settings
    depths = [
        depth for depth, setting in arch_settings.items() if setting == (block, blocks)
    ]
    if not depths:
        known = ', '.join(
            f'{depth}: {number}'
            for depth, (kind, number) in arch_settings.items()
            if kind is block
        )
        raise UserError(
            f'{blocks} blocks a stage are no ResNet of this package ({known})'
        )
    arguments = dict(depth=depths[0])
    if 'layer1.0.eca.conv.weight' in state_dict:
        arguments['kernel_size'] = tuple(
            _get(state_dict, f'layer{stage}.0.eca.conv.weight').shape[-1]
            for stage in sorted(stages)
        )
        return 'eca', arguments
    if 'layer1.0.se.fc1.weight' in state_dict:
        squeezed, channels = state_dict['layer1.0.se.fc1.weight'].shape
        arguments['ratio'] = channels // squeezed
        arguments['bias'] = 'layer1.0.se.fc1.bias' in state_dict
        return 'se', arguments
    return 'plain', arguments


def _get(state_dict: StateDict, name: str) -> torch.Tensor:
    if name not in state_dict:
        raise UserError(f'the checkpoint lacks {name!r}')
    return state_dict[name]
