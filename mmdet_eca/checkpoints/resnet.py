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
from ..models.weights import check_fit
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
# Stages, from 1, and blocks, from 0.
Places = set[tuple[int, int]]
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
    places = _attention_places(state_dict)
    for kind, read in _READERS.items():
        if kind in places:
            arguments.update(read(state_dict, places[kind], blocks))
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


def _attention_places(state_dict: StateDict) -> dict[str, Places]:
    """Where every kind of attention sits."""
    places: dict[str, Places] = {}
    for name in state_dict:
        found = re.match(r'layer(\d)\.(\d+)\.(\w+)\.', name)
        if found and found[3] in _READERS:
            places.setdefault(found[3], set()).add((int(found[1]), int(found[2])))
    return places


def _read_eca(
    state_dict: StateDict, places: Places, blocks: tuple[int, ...]
) -> dict[str, Any]:
    return dict(
        kernel_size=tuple(
            _get(state_dict, f'layer{stage}.0.eca.conv.weight').shape[-1]
            for stage in range(1, len(blocks) + 1)
        )
    )


def _read_se(
    state_dict: StateDict, places: Places, blocks: tuple[int, ...]
) -> dict[str, Any]:
    """Timm rounds the width of the reduced layer to a multiple of 8.

    The first stage of its seresnet18 and 34 therefore has another ratio.
    """
    bias = 'layer1.0.se.fc1.bias' in state_dict
    ratios = [
        _ratio(state_dict, f'layer{stage}.0.se.fc1')
        for stage in range(1, len(blocks) + 1)
    ]
    if len(set(ratios)) == 1:
        return dict(ratio=ratios[0], bias=bias)
    return dict(
        attention=[
            dict(type='SqueezeExcitation', ratio=ratio, bias=bias) for ratio in ratios
        ]
    )


def _read_cbam(
    state_dict: StateDict, places: Places, blocks: tuple[int, ...]
) -> dict[str, Any]:
    layer = 'layer1.0.cbam.fc1'
    return dict(ratio=_ratio(state_dict, layer), bias=f'{layer}.bias' in state_dict)


def _read_gsop(
    state_dict: StateDict, places: Places, blocks: tuple[int, ...]
) -> dict[str, Any]:
    first, block = min(places)
    chosen = tuple(
        tuple(number for stage, number in sorted(places) if stage == index)
        for index in range(1, len(blocks) + 1)
    )
    last = tuple((number - 1,) for number in blocks)
    return dict(
        width=_get(state_dict, f'layer{first}.{block}.gsop.row_bn.weight').numel(),
        attention_blocks='last' if chosen == last else chosen,
    )


def _read_global_context(
    state_dict: StateDict, places: Places, blocks: tuple[int, ...]
) -> dict[str, Any]:
    stages = {stage for stage, _ in places}
    layer = f'layer{min(stages)}.0.context_block.channel_add_conv.0'
    return dict(
        ratio=_ratio(state_dict, layer),
        stages=tuple(stage in stages for stage in range(1, len(blocks) + 1)),
    )


_READERS = dict(
    eca=_read_eca,
    se=_read_se,
    cbam=_read_cbam,
    gsop=_read_gsop,
    context_block=_read_global_context,
)


def _ratio(state_dict: StateDict, layer: str) -> int:
    """The reduction of the channels by a layer."""
    weight = _get(state_dict, f'{layer}.weight')
    return weight.shape[1] // len(weight)


def _get(state_dict: StateDict, name: str) -> torch.Tensor:
    if name not in state_dict:
        raise UserError(f'the checkpoint lacks {name!r}')
    return state_dict[name]
