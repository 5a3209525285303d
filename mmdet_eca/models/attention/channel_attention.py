import torch.nn.functional as F
from torch import Tensor

from .attention_layer import AttentionLayer, mean_over_positions, zero


class ChannelAttention(AttentionLayer):
    """Rescales every channel by a gate computed from the channels' means.

    ``y = x * sigmoid(f(GAP(x)))``, Equation (1) of ECA-Net (CVPR 2020). The
    subclasses differ in f and define :meth:`gate`, nothing else.

    Args:
        in_channels (int): Number of channels C of the input.

    Raises:
        UserError: If ``in_channels`` is not a positive integer.
    """

    depends_on_channel_means = True
    # The gate is divided by it: by what it starts with, where the layer starts as the
    # identity and no norm before it can make up for that.
    divisor = 1.0

    def start_as_identity(self) -> float | None:
        """Zeroes the last layer: every gate is one half; returns that factor."""
        last = list(self.children())[-1:] or [self]
        zero(*last)
        return 0.5 if list(self.parameters()) else None

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        gate = self.gate(mean_over_positions(x))
        if self.divisor != 1:
            gate = gate / self.divisor
        return x * gate[:, :, None, None]

    def gate_before_conv(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The gate of ``weight x + bias``, shape (N, C)."""
        return self.gate(F.linear(mean_over_positions(x), weight, bias))
