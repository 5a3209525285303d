"""Strict loading of the attention in a checkpoint.

mmengine logs parameters that do not fit and goes on; an ECA backbone would then
run with untrained attention and lose accuracy in silence.
"""
import logging
from collections import defaultdict
from typing import Dict

from mmdet.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor, nn

from ...errors import UserError
from ..attention import ChannelAttention


def check_attention_weights(backbone: nn.Module, state_dict: Dict[str, Tensor],
                            prefix: str) -> None:
    """Raises unless the checkpoint's attention fits the backbone, or has none.

    Args:
        backbone (nn.Module): The model that is about to load.
        state_dict (dict[str, Tensor]): The checkpoint's parameters.
        prefix (str): Of the backbone's parameters in it, '' or 'backbone.'.

    Raises:
        UserError: If attention weights of the backbone are missing in a
            checkpoint that has others, are of another kind, or have another
            shape.
    """
    layers = {
        f'{prefix}{name}.': layer
        for name, layer in backbone.named_modules()
        if isinstance(layer, ChannelAttention)
    }
    expected = {
        layer_name + name: parameter
        for layer_name, layer in layers.items()
        for name, parameter in layer.named_parameters()
    }
    others = _attention_names(state_dict, prefix) - set(expected)
    if others:
        wanted = sorted({layer._abbr_ for layer in layers.values()})
        raise UserError(
            f'the checkpoint has channel attention, {min(others)!r}, that this '
            f'{type(backbone).__name__} has no place for; its own is '
            f'{" and ".join(wanted) or "none"}: its network is not the one of '
            'this config')
    missing = [name for name in expected if name not in state_dict]
    if expected and len(missing) == len(expected):
        if any(name.startswith(f'{prefix}layer') for name in state_dict):
            print_log(
                'The checkpoint has no weights for the channel attention of '
                f'{type(backbone).__name__}: the attention starts untrained.',
                logger='current',
                level=logging.WARNING)
        return
    if missing:
        raise UserError(
            f'the checkpoint has channel attention, but not {missing[0]!r} '
            f'({len(missing)} of {len(expected)} attention weights missing): '
            'its network is not the one of this config')
    _check_kernel_sizes(layers, state_dict, prefix)
    for name, parameter in expected.items():
        if state_dict[name].shape != parameter.shape:
            raise UserError(
                f'{name} is of shape {tuple(state_dict[name].shape)} in the '
                f'checkpoint and {tuple(parameter.shape)} in the model')


def _attention_names(state_dict: Dict[str, Tensor], prefix: str) -> set:
    """The checkpoint's parameters that belong to a known kind of attention."""
    kinds = {
        module._abbr_ for module in MODELS.module_dict.values()
        if isinstance(module, type) and issubclass(module, ChannelAttention)
    }
    # layerL.B.eca...
    return {
        name for name in state_dict if name.startswith(f'{prefix}layer')
        and kinds.intersection(name[len(prefix):].split('.')[2:3])
    }


def _check_kernel_sizes(layers: Dict[str, ChannelAttention],
                        state_dict: Dict[str, Tensor], prefix: str) -> None:
    found, wanted = defaultdict(set), {}
    for name, layer in layers.items():
        if hasattr(layer, 'kernel_size'):
            stage = name[len(prefix):].split('.')[0]
            for weight, _ in layer.named_parameters():  # the kernel, (..., k)
                found[stage].add(state_dict[name + weight].shape[-1])
            wanted[stage] = layer.kernel_size
    differing = [stage for stage in wanted if found[stage] != {wanted[stage]}]
    if not differing:
        return
    details = '; '.join(
        f'{stage}: {" and ".join(map(str, sorted(found[stage])))} in the '
        f'checkpoint, {wanted[stage]} in the model' for stage in differing)
    remedy = 'the checkpoint has several in one stage, which no setting fits'
    if all(len(sizes) == 1 for sizes in found.values()):
        fitting = tuple(next(iter(sizes)) for sizes in found.values())
        remedy = f'set kernel_size={fitting} in the backbone to load it'
    raise UserError(f'ECA kernel sizes differ ({details}); {remedy}')
