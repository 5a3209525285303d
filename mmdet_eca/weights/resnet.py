"""Finds the ResNet that a state dict belongs to, and checks that it is whole."""

import re
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
from ..models.loading import check_fit
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
    check_fit(state_dict, model.state_dict(), str(backbone), optional=HEAD)
    return backbone


def _read_arguments(state_dict: StateDict) -> tuple[str, dict[str, Any]]:
    """Returns the attention, a key of ``_CLASSES``, and the backbone's arguments."""
    blocks = _count_blocks(state_dict)
    arguments = {**_read_depth(state_dict, blocks), **_read_stem(state_dict)}
    for kind in list(_CLASSES)[1:]:
        pattern = re.compile(rf'layer(\d)\.(\d+)\.{kind}\.')
        found = [match for match in map(pattern.match, state_dict) if match]
        if found:
            places = sorted({(int(match[1]), int(match[2])) for match in found})
            arguments.update(_read_attention(state_dict, kind, places, blocks))
            return 'plain' if 'attention' in arguments else kind, arguments
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


def _read_stem(state_dict: StateDict) -> dict[str, Any]:
    """The arguments of the stem, and those of the shortcuts that go with it."""
    if 'stem.0.weight' in state_dict:
        first, second, third = (
            _get(state_dict, f'stem.{number}.weight').numel() for number in (1, 4, 7)
        )
        if not first == second == third // 2:
            return dict(stem_widths=(first, second))
    elif 'layer2.0.downsample.2.weight' in state_dict:  # after a pooling
        return dict(avg_down=True)
    return {}


def _read_attention(
    state_dict: StateDict,
    kind: str,
    places: list[tuple[int, int]],
    blocks: tuple[int, ...],
) -> dict[str, Any]:
    """The arguments of an attention that sits at these stages, from 1, and blocks."""
    stages = range(1, len(blocks) + 1)
    if kind == 'eca':
        return dict(
            kernel_size=tuple(
                _get(state_dict, f'layer{stage}.0.eca.conv.weight').shape[-1]
                for stage in stages
            )
        )
    if kind == 'se':
        # timm rounds the width of the reduced layer to a multiple of 8, so that the
        # first stage of its seresnet18 and 34 has another ratio.
        bias = 'layer1.0.se.fc1.bias' in state_dict
        ratios = [_ratio(state_dict, f'layer{stage}.0.se.fc1') for stage in stages]
        if len(set(ratios)) == 1:
            return dict(ratio=ratios[0], bias=bias)
        layers = [dict(type='SqueezeExcitation', ratio=r, bias=bias) for r in ratios]
        return dict(attention=layers)
    if kind == 'cbam':
        layer = 'layer1.0.cbam.fc1'
        return dict(ratio=_ratio(state_dict, layer), bias=f'{layer}.bias' in state_dict)
    first, block = places[0]
    chosen = tuple(tuple(b for s, b in places if s == stage) for stage in stages)
    if kind == 'gsop':
        last = tuple((number - 1,) for number in blocks)
        return dict(
            width=_get(state_dict, f'layer{first}.{block}.gsop.row_bn.weight').numel(),
            attention_blocks='last' if chosen == last else chosen,
        )
    layer = f'layer{first}.0.context_block.channel_add_conv.0'
    return dict(ratio=_ratio(state_dict, layer), stages=tuple(map(bool, chosen)))


def _ratio(state_dict: StateDict, layer: str) -> int:
    """The reduction of the channels by a layer."""
    weight = _get(state_dict, f'{layer}.weight')
    return weight.shape[1] // len(weight)


def _get(state_dict: StateDict, name: str) -> torch.Tensor:
    if name not in state_dict:
        raise UserError(f'the checkpoint lacks {name!r}')
    return state_dict[name]
