"""Strict loading of the attention in a checkpoint.

mmengine logs parameters that do not fit and continues; an ECA backbone would then
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
from ..loading import add_identity, check_fit

# What a backbone loads whole or not at all.
LAYERS = (AttentionLayer, AugmentedConv2d, NonLocalBlock)


def check_attention_weights(
    backbone: Any, state_dict: dict[str, Tensor], prefix: str
) -> None:
    """Refuses a checkpoint whose attention does not fit the backbone's.

    A checkpoint without any attention is loaded, and the attention starts as the
    identity, see :func:`add_identity`. With ``backbone.strict_attention=False``
    one with another attention is loaded too. A message then says which layers start
    untrained.

    Args:
        backbone (nn.Module): The model that is about to load.
        state_dict (dict[str, Tensor]): The checkpoint's parameters. Without
            ``strict_attention`` the attention layers that it does not fit get
            the model's own in it. Of a checkpoint without any, it gets the weights
            with which the attention is the identity.
        prefix (str): How the names of the backbone's begin, '' or 'backbone.'.

    Raises:
        UserError: With ``strict_attention``, if attention weights of the
            backbone are missing in a checkpoint that has some, are of another
            kind, or have another shape.
    """
    layers = {
        f'{prefix}{name}': layer
        for name, layer in backbone.named_modules()
        if isinstance(layer, LAYERS)
    }
    known = {prefix + name for name in backbone.state_dict()}
    unexpected = attention_names(state_dict, prefix) - known
    expected = _weights(layers)
    if expected and not unexpected and not any(name in state_dict for name in expected):
        if any(name.startswith(f'{prefix}layer') for name in state_dict):
            _start_as_identity(backbone, layers, state_dict, prefix)
        return
    try:
        _check(backbone, layers, state_dict, prefix, unexpected)
        return
    except UserError as error:
        if backbone.strict_attention:
            raise UserError(
                f'{error}, or strict_attention=False to start the '
                'attention that differs untrained'
            ) from None
    for name in unexpected:
        del state_dict[name]
    untrained = []
    for name, layer in layers.items():
        own = _weights({name: layer})
        try:
            check_fit(state_dict, own, name)
        except UserError:
            untrained.append(name.removeprefix(prefix))
            state_dict.update({key: value.detach() for key, value in own.items()})
    _log(
        backbone,
        'The checkpoint has another channel attention than '
        f'{type(backbone).__name__}, whose own starts untrained: '
        f'{", ".join(untrained) or "none"}',
        untrained,
        'untrained',
    )


def _start_as_identity(
    backbone: Any, layers: dict[str, Any], state_dict: dict, prefix: str
) -> None:
    """Gives plain weights an attention with which the network computes the same."""
    can = False
    for name, layer in layers.items():
        block_name = name.rpartition('.')[0]
        block = backbone.get_submodule(block_name.removeprefix(prefix))
        norm = getattr(block, 'last_norm', None)
        can |= add_identity(state_dict, name, layer, norm and f'{block_name}.{norm}')
    names = [name.removeprefix(prefix) for name in layers]
    message = (
        f'The checkpoint has no attention. That of {type(backbone).__name__} starts '
    )
    if can:
        message += 'as the identity: the network computes what it computes without'
        _log(backbone, message, names, 'the identity')
    else:
        _log(backbone, message + 'untrained', names, 'untrained')


def _log(backbone: Any, message: str, names: Iterable[str], state: str) -> None:
    """Logs the message, and which of the named layers stay in this state."""
    stages = {_stage(name) for name in names}
    # mmdet's EfficientNet counts its stem as one.
    numbered = (
        [f'layers.{number}' for number in range(backbone.frozen_stages)]
        if hasattr(backbone, 'layers') and isinstance(backbone.layers, nn.ModuleList)
        else [f'layer{number + 1}' for number in range(backbone.frozen_stages)]
    )
    frozen = [stage for stage in numbered if stage in stages]
    if frozen:
        message += (
            f'; that of {" and ".join(frozen)} stays {state}: its stage is '
            'frozen. Set frozen_stages=0 in the backbone to train it'
        )
    print_log(f'{message}.', logger='current', level=logging.WARNING)


def _check(
    backbone: nn.Module,
    layers: dict[str, Any],
    state_dict: dict[str, Tensor],
    prefix: str,
    unexpected: set[str],
) -> None:
    """Raises a UserError with what does not fit, and the remedy."""
    name = type(backbone).__name__
    remedy = ": take the config of the checkpoint's network"
    if unexpected:
        wanted = sorted({layer._abbr_ for layer in layers.values()})
        raise UserError(
            f'the checkpoint has channel attention, {min(unexpected)!r}, that this '
            f'{name} has no place for; its own is '
            f'{" and ".join(wanted) or "none"}{remedy}'
        )
    expected = _weights(layers)
    if all(key in state_dict for key in expected):
        _check_kernel_sizes(layers, state_dict, prefix)
    check_fit(state_dict, expected, f'the attention of this {name}', remedy=remedy)


def _weights(layers: dict[str, Any]) -> dict[str, Tensor]:
    """The layers' parameters and the statistics of their norms."""
    return {
        f'{layer_name}.{name}': weight
        for layer_name, layer in layers.items()
        for name, weight in layer.state_dict().items()
        if not name.endswith('num_batches_tracked')  # older torch had none
    }


def attention_names(state_dict: dict[str, Tensor], prefix: str) -> set[str]:
    """Returns the names in a state dict that are of a known kind of attention.

    Args:
        state_dict (dict[str, Tensor]): A checkpoint's parameters.
        prefix (str): How the names of the backbone's begin, '' or 'backbone.'.
    """
    kinds = '|'.join(layer._abbr_ for layer in attention_types().values())
    # layerL.B.eca or layers.L.B.eca in a block, layerL.a2_B or layerL.nonlocal_block
    # between two blocks, and AA-Net's second convolution.
    attention = re.compile(
        rf'{re.escape(prefix)}layer(s\.)?\d+\.'
        rf'(\d+\.({kinds})|a2_\d+|nonlocal_block|\d+\.conv2\.qkv)\.'
    )
    return {name for name in state_dict if attention.match(name)}


def _stage(name: str) -> str:
    """Returns 'layer3' of 'layer3.0.eca', 'layers.3' of 'layers.3.0.eca'."""
    first, second, *_ = name.split('.')
    return f'{first}.{second}' if first == 'layers' else first


def _check_kernel_sizes(
    layers: dict[str, Any], state_dict: dict[str, Tensor], prefix: str
) -> None:
    """Names the argument with which another kernel size loads."""
    found, wanted = defaultdict(set), {}
    for name, layer in layers.items():
        if hasattr(layer, 'kernel_size'):
            stage = _stage(name.removeprefix(prefix))
            for weight, _ in layer.named_parameters():  # the kernel, (..., k)
                found[stage].add(state_dict[f'{name}.{weight}'].shape[-1])
            wanted[stage] = layer.kernel_size
    differing = [stage for stage in wanted if found[stage] != {wanted[stage]}]
    if not differing:
        return
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
    raise UserError(f'ECA kernel sizes differ ({details}); {remedy}')
