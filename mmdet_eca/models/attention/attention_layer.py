"""What every attention at the end of a residual branch has in common."""

import logging
from numbers import Integral
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from ...errors import UserError


class AttentionLayer(nn.Module):
    """A layer at the end of a residual branch that keeps the shape of its input.

    Registered in mmdet's ``MODELS`` it is a plugin of any of mmdet's backbones that
    take plugins. ``_abbr_`` is the name of the layer in a block, and so in the state
    dict.

    Args:
        in_channels (int): Number of channels C of the input.

    Raises:
        UserError: If ``in_channels`` is not a positive integer.
    """

    _abbr_: str
    # Whether it is in a backbone that itself warns of untrained attention.
    in_attention_backbone = False

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        check_positive_integer('in_channels', in_channels)
        self.in_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Maps feature maps of shape (N, C, H, W) to the same shape."""
        raise NotImplementedError

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        weights = dict(self.named_parameters())
        if (
            weights
            and not self.in_attention_backbone
            and not any(p.requires_grad for p in weights.values())
            and not any(prefix + name in state_dict for name in weights)
        ):
            print_log(
                f'The checkpoint has no weights for {prefix[:-1]}: this '
                'attention stays untrained: its stage is frozen. Set '
                'frozen_stages=0 in the backbone to train it.',
                logger='current',
                level=logging.WARNING,
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        """The arguments, as ``print`` shows them."""
        return str(self.in_channels)


def check_positive_integer(name: str, value: int) -> None:
    """Raises UserError unless ``value`` is a positive integer."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise UserError(f'{name} must be a positive integer, got {value!r}')


def reduced_channels(in_channels: int, ratio: int) -> int:
    """C // r, the width of a bottleneck.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """
    check_positive_integer('ratio', ratio)
    if ratio > in_channels:
        raise UserError(
            f'ratio must be at most the {in_channels} channels, got {ratio}'
        )
    return in_channels // ratio
