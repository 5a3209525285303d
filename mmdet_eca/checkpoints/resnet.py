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
    CBAMResNet,
    ECAResNet,
    ECAResNetV1d,
    GCResNet,
    GSoPResNet,
    SEResNet,
    SEResNetV1d,
)
from .files import StateDict

# The attention's class; with a deep stem it is the second one.
_CLASSES = dict(
    plain=(AttentionResNet, AttentionResNetV1d),
    eca=(ECAResNet, ECAResNetV1d),
    se=(SEResNet, SEResNetV1d),
    cbam=(CBAMResNet,),
    gsop=(GSoPResNet,),
    context_block=(GCResNet,),
)
# Blocks a stage of bottlenecks that belong to no depth: timm's ecaresnetlight and
# ecaresnet26t.
_OTHER_BLOCKS = ((1, 1, 11, 3), (2, 2, 2, 2))
HEAD = ('fc.weight', 'fc.bias')  # the classifier's, kept as torchvision does


class Backbone(NamedTuple):
    """A backbone of this package, as in a config."""

    type: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        arguments = (f'{key}={value!r}' for key, value in self.arguments.items())
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
    cls = _CLASSES[attention][deep_stem and len(_CLASSES[attention]) > 1]
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
    blocks = _count_blocks(state_dict)
    arguments = _read_depth(state_dict, blocks)
    if 'stem.0.weight' in state_dict:
        first, second, third = (
            len(_get(state_dict, f'stem.{number}.weight')) for number in (1, 4, 7)
        )
        if not first == second == third // 2:
            arguments['stem_widths'] = (first, second)
    elif 'layer2.0.downsample.2.weight' in state_dict:  # after a pooling
        arguments['avg_down'] = True
    places = _attention_places(state_dict)
    if 'eca' in places:
        arguments['kernel_size'] = tuple(
            _get(state_dict, f'layer{stage}.0.eca.conv.weight').shape[-1]
            for stage in range(1, len(blocks) + 1)
        )
        return 'eca', arguments
    if 'se' in places:
        return _read_se(state_dict, len(blocks), arguments)
    if 'cbam' in places:
        name = 'layer1.0.cbam.fc1'
        arguments['ratio'] = _ratio(state_dict, name)
        arguments['bias'] = f'{name}.bias' in state_dict
        return 'cbam', arguments
    if 'gsop' in places:
        stage, block = min(places['gsop'])
        name = f'layer{stage}.{block}.gsop.row_bn.weight'
        arguments['width'] = len(_get(state_dict, name))
        chosen = tuple(
            tuple(block for stage, block in sorted(places['gsop']) if stage == number)
            for number in range(1, len(blocks) + 1)
        )
        last = tuple((number - 1,) for number in blocks)
        arguments['attention_blocks'] = 'last' if chosen == last else chosen
        return 'gsop', arguments
    if 'context_block' in places:
        with_context = {stage for stage, _ in places['context_block']}
        name = f'layer{min(with_context)}.0.context_block.channel_add_conv.0'
        arguments['ratio'] = _ratio(state_dict, name)
        arguments['stages'] = tuple(
            stage in with_context for stage in range(1, len(blocks) + 1)
        )
        return 'context_block', arguments
    return 'plain', arguments


def _count_blocks(state_dict: StateDict) -> tuple[int, ...]:
    """Numbers of blocks of the stages."""
    stages: dict[str, set] = {}
    for name in state_dict:
        found = re.match(r'layer(\d)\.(\d+)\.', name)
        if found:
            stages.setdefault(found[1], set()).add(found[2])
    return tuple(len(stages[stage]) for stage in sorted(stages))


def _read_depth(state_dict: StateDict, blocks: tuple[int, ...]) -> dict[str, Any]:
    """The arguments that give these numbers of blocks."""
    block = Bottleneck if 'layer1.0.conv3.weight' in state_dict else BasicBlock
    arch_settings = (
        ECAResNetV1d if 'stem.0.weight' in state_dict else ECAResNet
    ).arch_settings
    for depth, setting in arch_settings.items():
        if setting == (block, blocks):
            return dict(depth=depth)
    if block is Bottleneck and blocks in _OTHER_BLOCKS:
        return dict(depth=50, stage_blocks=blocks)
    known = ', '.join(
        f'{depth}: {number}'
        for depth, (kind, number) in arch_settings.items()
        if kind is block
    )
    raise UserError(f'{blocks} blocks a stage are no ResNet of this package ({known})')


def _attention_places(state_dict: StateDict) -> dict[str, set[tuple[int, int]]]:
    """Stages, from 1, and blocks, from 0, by the kind of attention in them."""
    places: dict[str, set[tuple[int, int]]] = {}
    for name in state_dict:
        found = re.match(r'layer(\d)\.(\d+)\.(\w+)\.', name)
        if found and found[3] in _CLASSES:
            places.setdefault(found[3], set()).add((int(found[1]), int(found[2])))
    return places


def _read_se(
    state_dict: StateDict, num_stages: int, arguments: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The attention and the arguments of squeeze-and-excitation.

    timm rounds the width of the reduced layer to a multiple of 8, so that the ratio
    of the first stage of its seresnet18 and 34 is another.
    """
    ratios = [
        _ratio(state_dict, f'layer{stage}.0.se.fc1')
        for stage in range(1, num_stages + 1)
    ]
    bias = 'layer1.0.se.fc1.bias' in state_dict
    if len(set(ratios)) == 1:
        return 'se', dict(arguments, ratio=ratios[0], bias=bias)
    attention = [
        dict(type='SqueezeExcitation', ratio=ratio, bias=bias) for ratio in ratios
    ]
    return 'plain', dict(arguments, attention=attention)


def _ratio(state_dict: StateDict, layer: str) -> int:
    """The reduction of the channels by a layer."""
    weight = _get(state_dict, f'{layer}.weight')
    if weight.dim() < 2 or not 0 < len(weight) <= weight.shape[1]:
        raise UserError(
            f'{layer}.weight must have no more rows than columns, and is of shape '
            f'{tuple(weight.shape)}'
        )
    return weight.shape[1] // len(weight)


def _get(state_dict: StateDict, name: str) -> torch.Tensor:
    if name not in state_dict:
        raise UserError(f'the checkpoint lacks {name!r}')
    return state_dict[name]
