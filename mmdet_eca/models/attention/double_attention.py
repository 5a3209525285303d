"""Double attention, Chen et al., A2-Nets, NeurIPS 2018.

https://arxiv.org/abs/1810.11579. The authors have released no code.
"""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from .attention_layer import AttentionLayer, reduced_channels, zero


@MODELS.register_module()
class DoubleAttention(AttentionLayer):
    """A residual unit: ``x + BN(conv1x1(Z))``, Equation (6) of A2-Nets.

    Three 1x1 convolutions give A (m, HW), B (n, HW) and V (n, HW). Softmax over the
    positions of B gathers features from the whole map, ``G = A softmax(B)^T`` (m, n);
    softmax over the n rows of V distributes them, ``Z = G softmax(V)`` (m, HW). Here
    m = n = C // r.

    The norm starts with weight 0, so that the unit starts as the identity; the norm
    and its start are not stated in the paper, but in later code of its first author.

    Args:
        in_channels (int): Number of channels C of the input.
        ratio (int): Reduction r. 2 gives the 33.0 M parameters of the ECA-Net
            paper's Table 3 to 0.3 %; the text of A2-Nets says 4.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """

    _abbr_ = 'a2'

    def __init__(self, in_channels: int, ratio: int = 2) -> None:
        super().__init__(in_channels)
        width = reduced_channels(in_channels, ratio)
        self.feature = nn.Conv2d(in_channels, width, kernel_size=1)
        self.gather = nn.Conv2d(in_channels, width, kernel_size=1)
        self.distribute = nn.Conv2d(in_channels, width, kernel_size=1)
        self.project = nn.Conv2d(width, in_channels, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(in_channels, eps=1e-4)
        self.init_weights()

    def init_weights(self) -> None:
        """Starts the unit as the identity."""
        nn.init.zeros_(self.bn.weight)

    def start_as_identity(self) -> float:
        """Zeroes the last layer: the layer adds nothing; returns the factor 1."""
        zero(self.bn)
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Adds what is gathered and distributed to maps of shape (N, C, H, W)."""
        features = self.feature(x).flatten(2)
        gathering = self.gather(x).flatten(2).softmax(dim=2)
        descriptors = torch.matmul(features, gathering.transpose(1, 2))  # (N, m, n)
        distribution = self.distribute(x).flatten(2).softmax(dim=1)
        z = torch.matmul(descriptors, distribution)  # (N, m, HW)
        return x + self.bn(self.project(z.unflatten(2, x.shape[2:])))
