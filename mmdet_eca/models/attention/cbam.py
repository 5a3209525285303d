"""Convolutional Block Attention Module, Woo et al., ECCV 2018.

https://arxiv.org/abs/1807.06521; the authors' code is
https://github.com/Jongchan/attention-module, ``MODELS/cbam.py``.
"""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from .attention_layer import AttentionLayer, reduced_channels, zero


@MODELS.register_module()
class CBAM(AttentionLayer):
    """A gate for every channel, then one for every position.

    With ``MLP(v) = W2 relu(W1 v + b1) + b2`` the channels are rescaled by
    ``sigmoid(MLP(average of x) + MLP(maximum of x))``, both over the positions. The
    result x' is rescaled by ``sigmoid(BN(conv7x7([maximum of x', mean of x'])))``,
    both over the channels, Equations (2) and (3) of CBAM.

    The norm of the spatial gate starts with weight 0 as the authors', so that every
    position is rescaled by one half at first.

    Args:
        in_channels (int): Number of channels C of the input.
        ratio (int): Reduction r: ``W1`` is (C // r, C), ``W2`` (C, C // r).
        bias (bool): Whether the two layers of the MLP add a bias. The authors' do;
            the parameters in the ECA-Net paper's Table 3 are those without.

    Raises:
        UserError: If ``ratio`` is not a positive integer, or is larger than
            ``in_channels``.
    """

    _abbr_ = 'cbam'

    def __init__(self, in_channels: int, ratio: int = 16, bias: bool = True) -> None:
        super().__init__(in_channels)
        width = reduced_channels(in_channels, ratio)
        self.fc1 = nn.Linear(in_channels, width, bias=bias)
        self.fc2 = nn.Linear(width, in_channels, bias=bias)
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)
        self.bn = nn.BatchNorm2d(1, momentum=0.01)
        self.init_weights()

    def init_weights(self) -> None:
        """Starts the spatial gate and the biases as the authors do."""
        for layer in (self.fc1, self.fc2):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        nn.init.kaiming_normal_(self.conv.weight, mode='fan_out')
        nn.init.zeros_(self.bn.weight)

    def start_as_identity(self) -> float:
        """Zeroes the last layers: both gates are one half; returns their product."""
        zero(self.fc2, self.bn)
        return 0.25

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        pooled = self._mlp(x.mean(dim=(2, 3))) + self._mlp(x.amax(dim=(2, 3)))
        x = x * pooled.sigmoid()[:, :, None, None]
        maps = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], 1)
        return x * self.bn(self.conv(maps)).sigmoid()

    def _mlp(self, pooled: Tensor) -> Tensor:
        return self.fc2(self.fc1(pooled).relu())
