"""Strict loading of the attention in a checkpoint.

mmengine logs parameters that do not fit and goes on; an ECA backbone would then
run with untrained attention and lose accuracy in silence.
"""
import logging
from collections import defaultdict
from typing import Dict

from mmengine.logging import print_log
from torch import Tensor, nn

from ...errors import UserError
from ..attention import ECALayer


def check_attention_weights(backbone: nn.Module, state_dict: Dict[str, Tensor],
                            prefix: str) -> None:
    """Raises unless the checkpoint's attention fits the backbone, or has none.

    Args:
        backbone (AttentionResNet): The model that is about to load.
        state_dict (dict[str, Tensor]): The checkpoint's parameters.
        prefix (str): Of the backbone's parameters in it, '' or 'backbone.'.

    Raises:
        UserError: If attention weights of the backbone are missing in a
            checkpoint that has others, or have another shape.
    """
    expected = {
        f'{prefix}{stage}.{index}.{block.attention_name}.{name}': parameter
        for stage in backbone.res_layers
        for index, block in enumerate(getattr(backbone, stage))
        if block.attention is not None
        for name, parameter in block.attention.named_parameters()
    }
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
    _check_kernel_sizes(backbone, state_dict, prefix)
    for name, parameter in expected.items():
        if state_dict[name].shape != parameter.shape:
            raise UserError(
                f'{name} is of shape {tuple(state_dict[name].shape)} in the '
                f'checkpoint and {tuple(parameter.shape)} in the model')


def _check_kernel_sizes(backbone: nn.Module, state_dict: Dict[str, Tensor],
                        prefix: str) -> None:
    found, wanted = defaultdict(set), {}
    for stage in backbone.res_layers:
        for index, block in enumerate(getattr(backbone, stage)):
            if isinstance(block.attention, ECALayer):
                name = f'{prefix}{stage}.{index}.eca.conv.weight'
                found[stage].add(state_dict[name].shape[-1])
                wanted[stage] = block.attention.kernel_size
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
