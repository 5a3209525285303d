"""Global context block, Cao et al., GCNet, ICCV workshops 2019.

https://arxiv.org/abs/1904.11492; the authors' code is
https://github.com/xvjiarui/GCNet, ``mmdet/ops/gcb/context_block.py``.
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from .attention_layer import AttentionLayer, reduced_channels, zero


@MODELS.register_module()
class GlobalContext(AttentionLayer):
    """Adds one vector an image to all positions: ``x + W2 relu(LN(W1 c + b1)) + b2``.

    The context c is the mean of x over the positions, weighted by a softmax over
    them of ``conv1x1(x)``. The parameters are named as in mmcv's ``ContextBlock``.
    ``W2`` and ``b2`` start at zero, so that the layer starts as the identity.

    Args:
        in_channels (int): Number of channels C of the input.
        ratio (int): Reduction r: ``W1`` is (C // r, C), ``W2`` (C, C // r). 16 in
            the tables of ECA-Net; GCNet's best detectors have 4.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """

    _abbr_ = 'context_block'
    depends_on_channel_means = True
    is_additive = True

    def __init__(self, in_channels: int, ratio: int = 16) -> None:
        super().__init__(in_channels)
        width = reduced_channels(in_channels, ratio)
        self.conv_mask = nn.Conv2d(in_channels, 1, kernel_size=1)
        self.channel_add_conv = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=1),
            nn.LayerNorm([width, 1, 1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, in_channels, kernel_size=1),
        )
        self.init_weights()

    def init_weights(self) -> None:
        """Starts the layer as the identity."""
        nn.init.kaiming_normal_(self.conv_mask.weight, mode='fan_in')
        for name in (
            'conv_mask.bias',
            'channel_add_conv.3.weight',
            'channel_add_conv.3.bias',
        ):
            nn.init.zeros_(self.get_parameter(name))

    def start_as_identity(self) -> float:
        """Zeroes the last layer: the layer adds nothing; returns the factor 1."""
        zero(self.channel_add_conv[-1])
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Adds its context to feature maps of shape (N, C, H, W)."""
        context = _weighted_mean(x, self.conv_mask(x))
        return x + self.channel_add_conv(context[..., None])

    def gate_before_conv(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Returns the context that is added to ``weight x + bias``, shape (N, C).

        What ``bias`` adds to all logits alike does not change their softmax. Nor does
        the mask's own; but every parameter needs a gradient in distributed training.
        """
        mask = torch.matmul(self.conv_mask.weight.flatten(1), weight)  # (1, K)
        logits = F.conv2d(x, mask[:, :, None, None], self.conv_mask.bias)
        pooled = _weighted_mean(x, logits)
        context = F.linear(pooled[..., 0], weight, bias)
        added: Tensor = self.channel_add_conv(context[:, :, None, None])
        return added[..., 0, 0]


def _weighted_mean(x: Tensor, logits: Tensor) -> Tensor:
    """Means (N, C, 1) of x (N, C, H, W), weighted by a softmax of (N, 1, H, W)."""
    shares = logits.flatten(2).softmax(dim=2)
    return torch.matmul(x.flatten(2), shares.transpose(1, 2))
