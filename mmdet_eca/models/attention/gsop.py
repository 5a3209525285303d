"""Global second-order pooling, Gao et al., GSoP-Net1, CVPR 2019.

https://arxiv.org/abs/1811.12006; the authors' code is
https://github.com/ZilinGao/Global-Second-order-Pooling-Convolutional-Networks,
``torchvision/models/resnet.py``.
"""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.fx import Proxy

from ...ops import as_node
from .attention_layer import AttentionLayer, check_positive_integer, zero


@MODELS.register_module()
class GSoP(AttentionLayer):
    """Rescales every channel by a gate computed from the channels' covariance.

    ``z = relu(BN(conv1x1(relu(x))))`` has ``width`` channels; their covariance over
    the positions (divided by the number of positions) is a matrix whose rows go,
    after a norm of their own, through four filters each, and all through one linear
    layer and a sigmoid. As in the authors' code no activation lies between the two.
    The covariance is computed in float32, also under autocast.

    Args:
        in_channels (int): Number of channels C of the input.
        width (int): Channels of z; the authors have 128.
        stride (int): Stride of the 1x1 convolution; the authors' is 2 in c2, 1 in the
            other stages.

    Raises:
        UserError: If ``width`` or ``stride`` is not a positive integer.
    """

    _abbr_ = 'gsop'

    def __init__(self, in_channels: int, width: int = 128, stride: int = 1) -> None:
        super().__init__(in_channels)
        check_positive_integer('width', width)
        check_positive_integer('stride', stride)
        self.conv = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride)
        self.bn = nn.BatchNorm2d(width)
        self.row_bn = nn.BatchNorm2d(width)
        self.row_conv = nn.Conv2d(width, 4 * width, (width, 1), groups=width)
        self.fc = nn.Conv2d(4 * width, in_channels, kernel_size=1)

    def start_as_identity(self) -> float:
        """Zeroes the last layer: every gate is one half; returns that factor."""
        zero(self.fc)
        return 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        if isinstance(x, Proxy):  # torch.fx has no autocast
            return as_node(self, x)
        z = self.bn(self.conv(x.relu())).relu().flatten(2)
        rows = _covariance(z).to(z.dtype)[..., None]  # (N, width, width, 1)
        return x * self.fc(self.row_conv(self.row_bn(rows))).sigmoid()


def _covariance(z: Tensor) -> Tensor:
    """Covariances (N, K, K) of maps (N, K, M) over their M positions."""
    device = 'cpu' if z.is_meta else z.device.type  # meta has no autocast
    with torch.autocast(device, enabled=False):
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        z = z - z.mean(dim=2, keepdim=True)
        return torch.matmul(z, z.transpose(1, 2)) / z.shape[2]
