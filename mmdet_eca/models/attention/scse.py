"""Concurrent spatial and channel squeeze and excitation, Roy et al., MICCAI 2018.

https://arxiv.org/abs/1803.02579; the authors' code is
https://github.com/ai-med/squeeze_and_excitation.
"""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import UserError
from .attention_layer import AttentionLayer, reduced_channels, zero


@MODELS.register_module()
class SCSE(AttentionLayer):
    """The input rescaled by channel and, beside it, by position, combined.

    The channel's gate is that of SE with biases, ``sigmoid(W2 relu(W1 GAP(x) + b1)
    + b2)``; the position's is ``sigmoid(conv1x1(x))`` with one output channel.

    Args:
        in_channels (int): Number of channels C of the input.
        ratio (int): Reduction r of the channel's gate; the authors' code has 2.
        combine (str): 'max' takes the larger of the two rescaled values, as the
            authors' code; 'add' adds them, as their MICCAI paper.

    Raises:
        UserError: If ``combine`` is neither, ``ratio`` is not a positive integer,
            or is larger than ``in_channels``.
    """

    _abbr_ = 'scse'

    def __init__(self, in_channels: int, ratio: int = 2, combine: str = 'max') -> None:
        super().__init__(in_channels)
        if combine not in ('max', 'add'):
            raise UserError(f"combine must be 'max' or 'add', got {combine!r}")
        width = reduced_channels(in_channels, ratio)
        self.fc1 = nn.Linear(in_channels, width)
        self.fc2 = nn.Linear(width, in_channels)
        self.conv = nn.Conv2d(in_channels, 1, kernel_size=1)
        self.combine = combine

    def start_as_identity(self) -> float:
        """Zeroes the last layers: both gates are one half; returns the factor."""
        zero(self.fc2, self.conv)
        return 0.5 if self.combine == 'max' else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        channel = self.fc2(self.fc1(x.mean(dim=(2, 3))).relu()).sigmoid()
        by_channel = x * channel[:, :, None, None]
        by_position = x * self.conv(x).sigmoid()
        if self.combine == 'add':
            return by_channel + by_position
        return torch.maximum(by_channel, by_position)
