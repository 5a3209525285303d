"""Attention on what a neck gives to the heads."""

import difflib
import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import UserError
from ..attention.channel_attention import ChannelAttention
from ..attention.types import check_attention_type


@MODELS.register_module()
class AttentionNeck(BaseModule):
    """A neck of mmdet with an attention layer of its own on each of its outputs.

    A checkpoint of the same detector without attention loads as it is. With
    ``identity`` the detector then computes what it did, and learns from there.

    Args:
        neck (dict | Sequence[dict]): Config of the neck, such as an FPN.
        attention (dict): Config of the attention layer, ``in_channels`` is filled in.
        identity (bool): Whether the attention starts as the identity. Its outputs
            are then divided by what the gates start with, in training and ever after:
            leave it as it was in training.
        out_channels (int | Sequence[int], optional): Channels of all outputs or of
            each, by default the neck's ``out_channels``.
        num_outs (int, optional): Number of outputs, by default the neck's.
        init_cfg (dict, optional): How to initialise the weights, see mmengine.

    Raises:
        UserError: If the neck or the layer is unknown, the layer cannot start as the
            identity, or the neck does not say what it gives.

    Example:
        >>> import torch
        >>> neck = AttentionNeck(
        ...     dict(type='FPN', in_channels=[8, 16], out_channels=4, num_outs=3),
        ...     dict(type='ECALayer'),
        ... )
        >>> outs = neck([torch.rand(1, 8, 16, 16), torch.rand(1, 16, 8, 8)])
        >>> [tuple(out.shape) for out in outs]
        [(1, 4, 16, 16), (1, 4, 8, 8), (1, 4, 4, 4)]
    """

    def __init__(
        self,
        neck: dict | Sequence[dict],
        attention: dict,
        identity: bool = False,
        out_channels: int | Sequence[int] | None = None,
        num_outs: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_attention_type(attention)
        _check_neck_types(neck)
        self.neck = MODELS.build(neck)
        channels = _channels_of_outputs(self.neck, out_channels, num_outs)
        layers = [
            MODELS.build(dict(attention, in_channels=number)) for number in channels
        ]
        multiples = [layer.start_as_identity() for layer in layers] if identity else [1]
        if None in multiples:
            raise UserError(
                f'{attention["type"]} has no weights, so it cannot start as the '
                'identity: take another layer, or identity=False'
            )
        self.identity = identity
        self.multiple = multiples[0]
        for layer in layers:
            if isinstance(layer, ChannelAttention):  # without a pass over the map
                layer.divisor, self.multiple = multiples[0], 1
        self.attention = nn.ModuleList(layers)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps the backbone's feature maps to those of the neck, rescaled."""
        outs = self.neck(inputs)
        if len(outs) != len(self.attention):
            raise UserError(
                f'{type(self.neck).__name__} gives {len(outs)} maps, not '
                f'{len(self.attention)}: set num_outs={len(outs)} of AttentionNeck'
            )
        if not torch.jit.is_tracing():  # which knows no numbers of channels
            self._check_channels([out.shape[1] for out in outs])
        outs = [layer(out) for layer, out in zip(self.attention, outs)]
        if self.multiple != 1:
            outs = [out / self.multiple for out in outs]
        return tuple(outs)

    def _check_channels(self, channels: list[int]) -> None:
        expected = [layer.in_channels for layer in self.attention]
        if channels != expected:
            raise UserError(
                f'{type(self.neck).__name__} gives maps of {channels} channels, not '
                f'{expected}: set out_channels={channels} of AttentionNeck'
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        own = {prefix + name: value for name, value in self.state_dict().items()}
        plain = [
            name for name in state_dict if name.startswith(prefix) and name not in own
        ]
        if plain and not any(name in state_dict for name in own):
            for name in plain:
                state_dict[f'{prefix}neck.{name[len(prefix) :]}'] = state_dict.pop(name)
            for name, value in own.items():
                if name.startswith(f'{prefix}attention.'):
                    state_dict[name] = value
            print_log(
                f'The checkpoint has no attention for {prefix[:-1] or "the neck"}. It '
                + (
                    'starts as the identity: the neck gives what it gives without.'
                    if self.identity
                    else 'starts untrained; identity=True would keep the outputs.'
                ),
                logger='current',
                level=logging.WARNING,
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_neck_types(neck: Any) -> None:
    for cfg in neck if isinstance(neck, (list, tuple)) else [neck]:
        if not isinstance(cfg, dict) or 'type' not in cfg:
            raise UserError(
                "neck must be a dict with a 'type' such as dict(type='FPN', ...), or a "
                f'list of them, got {cfg!r}'
            )
        if isinstance(cfg['type'], str) and MODELS.get(cfg['type']) is None:
            necks = sorted(
                name
                for name, module in MODELS.module_dict.items()
                if module.__module__.startswith('mmdet.models.necks.')
            )
            near = difflib.get_close_matches(cfg['type'], necks, cutoff=0.4) or necks
            raise UserError(
                f'neck type {cfg["type"]!r} is not registered; near ones are '
                f'{", ".join(near)}'
            )


def _channels_of_outputs(
    neck: Any, out_channels: int | Sequence[int] | None, num_outs: int | None
) -> list[int]:
    last = neck[-1] if isinstance(neck, nn.Sequential) else neck
    name = type(last).__name__
    if out_channels is None:
        out_channels = getattr(last, 'out_channels', None)
    if num_outs is None:
        num_outs = getattr(last, 'num_outs', None)
    if out_channels is None:
        raise UserError(
            f'{name} does not say how many channels its maps have: set out_channels'
            + (' and num_outs' if num_outs is None else '')
            + ' of AttentionNeck'
        )
    if not isinstance(out_channels, int):
        return list(out_channels)
    if num_outs is None:
        raise UserError(
            f'{name} does not say how many maps it gives: set num_outs of AttentionNeck'
        )
    return [out_channels] * num_outs
