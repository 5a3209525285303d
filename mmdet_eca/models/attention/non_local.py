"""Non-local block, Wang et al., CVPR 2018, https://arxiv.org/abs/1711.07971."""

from mmcv.cnn.bricks import NonLocal2d
from torch import Tensor
from torch.fx import Proxy

from ...ops import as_node
from .attention_layer import zero


class NonLocalBlock(NonLocal2d):
    """mmcv's non-local block, which torch.fx cannot trace, as one node."""

    def start_as_identity(self) -> float:
        """Zeroes the last layer: the block adds nothing; returns the factor 1."""
        zero(self.conv_out)
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Maps feature maps of shape (N, C, H, W) to the same shape."""
        return as_node(self, x) if isinstance(x, Proxy) else super().forward(x)
