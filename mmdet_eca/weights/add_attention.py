"""Gives the weights of a plain backbone, or of a whole detector, attention."""

import os.path as osp
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmdet.registry import MODELS

from ..errors import UserError
from ..models.attention.types import check_attention_type
from ..models.backbones.attention_weights import attention_names
from ..models.loading import add_identity
from .files import StateDict, read_weights, write_checkpoint
from .sources import mmpretrain

_KINDS = 'ResNet, ResNetV1d, ResNeXt or MobileNetV2'
# A detector's backbone, and that of the detector in a tracker or in semi-supervised
# training.
_PREFIXES = (
    '',
    'backbone.',
    'detector.backbone.',
    'student.backbone.',
    'teacher.backbone.',
)
# The last norm of a block, and the convolution before it, in mmdet's ResNets and in
# its MobileNetV2.
_LAST_NORMS = (
    ('conv3.weight', r'(bn|gn|in)3\.weight'),
    ('conv2.weight', r'(bn|gn|in)2\.weight'),
    ('linear_conv.conv.weight', r'linear_conv\.(bn|gn|in)\.weight'),
)


class _Block(NamedTuple):
    """A residual block in a state dict.

    Attributes:
        prefix (str): Prefix of the backbone's names, such as 'backbone.'.
        name (str): Its name with that prefix, such as 'backbone.layer1.0.'.
        norm (str): Name of its last norm, without '.weight'.
        channels (int): Channels of its output.
    """

    prefix: str
    name: str
    norm: str
    channels: int


def add_attention(path: str, out: str, attention: dict) -> str:
    """Writes a plain checkpoint's weights with attention that is the identity.

    The detector with attention computes exactly what the plain one does, and the
    attention learns from there: see :func:`add_identity`.

    Args:
        path (str): Weights of a detector of MMDetection 3.x with a ResNet, ResNetV1d,
            ResNeXt or MobileNetV2, or ImageNet weights of torchvision or MMPretrain.
        out (str): The file to write; it appears whole, or not at all if something
            is wrong.
        attention (dict): Config of the attention layer, as the argument ``attention``
            of the backbones.

    Returns:
        str: A description for the user, with the lines of a config for the file.

    Raises:
        UserError: If ``out`` exists, the file cannot be read, has no such backbone or
            has attention already, or the layer is unknown or cannot be the identity.
    """
    if osp.exists(out):
        raise UserError(f'{out} exists: give another name, or remove it')
    layer_type = check_attention_type(attention)
    weights, meta = read_weights(path)
    if mmpretrain.matches(weights, meta):
        weights, _ = mmpretrain.convert(weights)
    for prefix in _PREFIXES:
        name = min(attention_names(weights, prefix), default=None)
        if name is not None:
            raise UserError(
                f'{path} has attention already, {name!r}: take the weights of the '
                'plain network'
            )
    blocks = list(_find_blocks(path, weights))
    if not blocks:
        raise UserError(
            f'{path} has no residual blocks of a {_KINDS}: its first tensor is '
            f'{next(iter(weights))!r}'
        )
    for block in blocks:
        layer = MODELS.build(dict(attention, in_channels=block.channels))
        if f'{block.norm}.bias' not in weights:
            raise UserError(f"{path} lacks '{block.norm}.bias': it is not whole")
        if not add_identity(weights, block.name + layer._abbr_, layer, block.norm):
            raise UserError(
                f'{attention["type"]} has no weights, so it cannot start as the '
                'identity: take another layer'
            )
    lines = _config(path, weights, blocks[0], attention, out)
    kept = {key: meta[key] for key in ('dataset_meta',) if key in meta}
    write_checkpoint(
        dict(
            state_dict=weights,
            meta=dict(kept, mmdet_eca=f'{layer_type.__name__} added as the identity'),
        ),
        out,
    )
    return (
        f'{path}: {layer_type.__name__} in {len(blocks)} blocks, as the identity; '
        f'{len(weights)} tensors in {out}. Lines for the config:\n'
        f'{lines}'
    )


def _find_blocks(path: str, weights: StateDict) -> Iterator[_Block]:
    """The residual blocks of the backbone, in the order of their names.

    Raises:
        UserError: If they are of another backbone than ours.
    """
    pattern = re.compile(r'(?P<prefix>.*?)layer\d\.\d+\.')
    blocks: dict[tuple[str, str], list[str]] = {}
    for name in weights:
        found = pattern.match(name)
        if found and found['prefix'] in _PREFIXES:
            key = found['prefix'], found[0]
            blocks.setdefault(key, []).append(name[found.end() :])
    for (prefix, block), parts in blocks.items():
        foreign = _foreign_part(weights, prefix, block, parts)
        if foreign is not None:
            raise UserError(
                f'{path} is of another backbone than a {_KINDS}: none of them has '
                f'{foreign!r} of shape {tuple(weights[foreign].shape)}'
            )
        for conv, norm_pattern in _LAST_NORMS:
            norm = next((n for n in parts if re.fullmatch(norm_pattern, n)), None)
            if conv in parts and norm:
                channels = weights[block + norm].numel()
                last_norm = block + norm[: -len('.weight')]
                yield _Block(prefix, block, last_norm, channels)
                break


def _foreign_part(
    weights: StateDict, prefix: str, block: str, parts: Sequence[str]
) -> str | None:
    """The name of a tensor that tells a block of another network, None if none does.

    RegNet and HRNet have the names of a ResNet, and a stem of 3x3.
    """
    if any(part.startswith('linear_conv.') for part in parts):
        return None
    for part in parts:
        # In Res2Net, ResNeSt and DetectoRS; those of deformable convolutions are
        # known.
        if re.match(r'convs?\d?\.', part) and not re.fullmatch(
            r'conv[123]\.(weight|bias|conv_offset\.(weight|bias))', part
        ):
            return block + part
    stem = f'{prefix}conv1.weight'
    if stem in weights and weights[stem].shape[-1:] != (7,):
        return stem
    return None


def _config(
    path: str, weights: StateDict, block: _Block, attention: dict, out: str
) -> str:
    """The lines of a config, in Python, that the weights go with."""
    prefix = block.prefix
    kind = 'ResNet'
    if f'{block.name}linear_conv.conv.weight' in weights:
        kind = 'MobileNetV2'
    elif f'{prefix}stem.0.weight' in weights:
        kind = 'ResNetV1d'
    elif f'{block.name}conv3.weight' in weights:
        name = f'{block.name}conv2.weight'
        if name not in weights:
            raise UserError(f'{path} lacks {name!r}: it is not whole')
        conv2 = weights[name]
        kind = 'ResNeXt' if len(set(conv2.shape[:2])) > 1 else 'ResNet'
    arguments = ', '.join(f'{key}={value!r}' for key, value in attention.items())
    lines = [
        "custom_imports = dict(imports=['mmdet_eca'])",
        f"backbone = dict(type='Attention{kind}', attention=dict({arguments}))",
    ]
    if prefix:
        model = 'dict(backbone=backbone)'
        if prefix != 'backbone.':  # the others all have it in their detector
            model = f'dict(detector={model})'
        lines += [f'model = {model}', f'load_from = {out!r}']
    else:
        lines.append(
            "model = dict(backbone=dict(backbone, init_cfg=dict(type='Pretrained', "
            f'checkpoint={out!r})))'
        )
    return '\n'.join(lines)
