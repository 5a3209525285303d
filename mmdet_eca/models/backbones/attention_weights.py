"""Strict loading of the attention in a checkpoint.

mmengine logs parameters that do not fit and goes on; an ECA backbone would then
run with untrained attention and lose accuracy in silence. Plain weights lose nothing:
the attention then starts as the identity.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from ...errors import UserError
from ..attention import AttentionLayer, AugmentedConv2d
from ..attention.non_local import NonLocalBlock
from ..attention.types import attention_types

# What a backbone loads whole or not at all.
LAYERS = (AttentionLayer, AugmentedConv2d, NonLocalBlock)


def check_attention_weights(
    backbone: nn.Module, state_dict: dict[str, Tensor], prefix: str
) -> None:
    """Refuses a checkpoint whose attention does not fit the backbone's.

    A checkpoint without any attention is loaded, and the attention starts as the
    identity, see :func:`start_as_identity`. With ``backbone.strict_attention=False``
    one with another attention is loaded too. A message then says which layers start
    untrained.

    Args:
        backbone (nn.Module): The model that is about to load.
        state_dict (dict[str, Tensor]): The checkpoint's parameters. Without
            ``strict_attention`` the attention layers that it does not fit get
            the model's own in it. Of a checkpoint without any, it gets the weights
            with which the attention is the identity.
        prefix (str): Of the backbone's parameters in it, '' or 'backbone.'.

    Raises:
        UserError: With ``strict_attention``, if attention weights of the
            backbone are missing in a checkpoint that has some, are of another
            kind, or have another shape.
    """
    layers = {
        f'{prefix}{name}.': layer
        for name, layer in backbone.named_modules()
        if isinstance(layer, LAYERS)
    }
    expected = _weights(layers)
    known = {prefix + name for name in backbone.state_dict()}
    unexpected = _attention_names(state_dict, prefix) - known
    if expected and not unexpected and not any(name in state_dict for name in expected):
        if any(name.startswith(f'{prefix}layer') for name in state_dict):
            start_as_identity(backbone, layers, state_dict, prefix)
        return
    mismatch = _mismatch(backbone, layers, state_dict, prefix, unexpected)
    if mismatch is None:
        return
    if backbone.strict_attention:
        raise UserError(
            f'{mismatch}, or strict_attention=False to start the '
            'attention that differs untrained'
        )
    for name in unexpected:
        del state_dict[name]
    untrained = {
        name: layer
        for name, layer in layers.items()
        if not _fits(layer, state_dict, name)
    }
    state_dict.update(
        {name: weight.detach() for name, weight in _weights(untrained).items()}
    )
    names = [name[len(prefix) : -1] for name in untrained]
    _log(
        backbone,
        'The checkpoint has another channel attention than '
        f'{type(backbone).__name__}, whose own starts untrained: '
        f'{", ".join(names) or "none"}',
        names,
        'untrained',
    )


def start_as_identity(
    backbone: Any, layers: dict[str, Any], state_dict: dict[str, Tensor], prefix: str
) -> None:
    """Gives plain weights an attention with which the network computes the same.

    A sigmoid of zeros rescales by one half. The norm before it then has twice the
    weight and twice the bias, which is exact. Unlike in a network that starts with a
    gate of one, the attention learns from the first step on. AA-Net's convolutions
    cannot be the plain ones, and start untrained.

    Args:
        backbone (nn.Module): The model that is about to load.
        layers (dict[str, nn.Module]): Its attention by the names, with prefix.
        state_dict (dict[str, Tensor]): Plain weights; gets those of the attention,
            and other weights of the norms before it.
        prefix (str): Of the backbone's parameters in it.
    """
    for name, layer in layers.items():
        multiple = layer.start_as_identity()
        if multiple is None:
            continue
        for key, value in layer.state_dict().items():
            state_dict[name + key] = value
        if multiple == 1:
            continue
        block_name = name[: -len(layer._abbr_) - 1]
        block = backbone.get_submodule(block_name[len(prefix) : -1])
        for key in ('weight', 'bias'):
            norm = f'{block_name}{block.last_norm}.{key}'
            if norm in state_dict:
                state_dict[norm] = state_dict[norm] / multiple
    names = [name[len(prefix) :] for name in _weights(layers)]
    message = (
        f'The checkpoint has no attention. That of {type(backbone).__name__} starts '
    )
    if any(prefix + name in state_dict for name in names):
        message += 'as the identity: the network computes what it computes without'
        _log(backbone, message, names, 'the identity')
    else:
        _log(backbone, message + 'untrained', names, 'untrained')


def _log(backbone: Any, message: str, names: Iterable[str], state: str) -> None:
    """Logs the message, and which of the named layers stay in this state."""
    stages = {name.split('.')[0] for name in names}
    frozen = [
        f'layer{number}'
        for number in range(1, backbone.frozen_stages + 1)
        if f'layer{number}' in stages
    ]
    if frozen:
        message += (
            f'; that of {" and ".join(frozen)} stays {state}: its stage is '
            'frozen. Set frozen_stages=0 in the backbone to train it'
        )
    print_log(f'{message}.', logger='current', level=logging.WARNING)


def _mismatch(
    backbone: nn.Module,
    layers: dict[str, Any],
    state_dict: dict[str, Tensor],
    prefix: str,
    unexpected: set[str],
) -> str | None:
    """What about the checkpoint's attention does not fit, and the remedy."""
    if unexpected:
        wanted = sorted({layer._abbr_ for layer in layers.values()})
        return (
            f'the checkpoint has channel attention, {min(unexpected)!r}, that this '
            f'{type(backbone).__name__} has no place for; its own is '
            f'{" and ".join(wanted) or "none"}: take the config of the '
            "checkpoint's network"
        )
    expected = _weights(layers)
    missing = [name for name in expected if name not in state_dict]
    if missing:
        return (
            f'the checkpoint has channel attention, but not {missing[0]!r} '
            f'({len(missing)} of {len(expected)} attention weights missing): '
            "take the config of the checkpoint's network"
        )
    kernel_sizes = _differing_kernel_sizes(layers, state_dict, prefix)
    if kernel_sizes:
        return kernel_sizes
    for name, weight in expected.items():
        if state_dict[name].shape != weight.shape:
            return (
                f'{name} is of shape {tuple(state_dict[name].shape)} in the '
                f'checkpoint and {tuple(weight.shape)} in the model: take '
                "the config of the checkpoint's network"
            )
    return None


def _weights(layers: dict[str, Any]) -> dict[str, Tensor]:
    """The layers' parameters and the statistics of their norms."""
    return {
        layer_name + name: weight
        for layer_name, layer in layers.items()
        for name, weight in layer.state_dict().items()
        if not name.endswith('num_batches_tracked')  # older torch had none
    }


def _fits(layer: Any, state_dict: dict[str, Tensor], layer_name: str) -> bool:
    return all(
        name in state_dict and state_dict[name].shape == weight.shape
        for name, weight in _weights({layer_name: layer}).items()
    )


def _attention_names(state_dict: dict[str, Tensor], prefix: str) -> set:
    """The checkpoint's parameters that belong to a known kind of attention."""
    kinds = '|'.join(layer._abbr_ for layer in attention_types().values())
    # layerL.B.eca in a block, layerL.a2_B or layerL.nonlocal_block between two blocks,
    # and AA-Net's second convolution.
    attention = re.compile(
        rf'{re.escape(prefix)}layer\d+\.'
        rf'(\d+\.({kinds})|a2_\d+|nonlocal_block|\d+\.conv2\.qkv)\.'
    )
    return {name for name in state_dict if attention.match(name)}


def _differing_kernel_sizes(
    layers: dict[str, Any], state_dict: dict[str, Tensor], prefix: str
) -> str | None:
    found, wanted = defaultdict(set), {}
    for name, layer in layers.items():
        if hasattr(layer, 'kernel_size'):
            stage = name[len(prefix) :].split('.')[0]
            for weight, _ in layer.named_parameters():  # the kernel, (..., k)
                found[stage].add(state_dict[name + weight].shape[-1])
            wanted[stage] = layer.kernel_size
    differing = [stage for stage in wanted if found[stage] != {wanted[stage]}]
    if not differing:
        return None
    details = '; '.join(
        f'{stage}: {" and ".join(map(str, sorted(found[stage])))} in the '
        f'checkpoint, {wanted[stage]} in the model'
        for stage in differing
    )
    remedy = (
        'the checkpoint has several in one stage, which no setting fits: '
        'take other weights'
    )
    if all(len(sizes) == 1 for sizes in found.values()):
        fitting = tuple(next(iter(sizes)) for sizes in found.values())
        remedy = f'set kernel_size={fitting} in the backbone to load it'
    return f'ECA kernel sizes differ ({details}); {remedy}'
