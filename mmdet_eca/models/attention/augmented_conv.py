"""Attention-augmented convolution, Bello et al., ICCV 2019.

https://arxiv.org/abs/1904.09925. The authors have published the code of one layer,
in the paper.
"""

from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Proxy

from ...errors import UserError
from ...ops import as_node
from .attention_layer import Size, check_positive_integer, height_and_width


class AugmentedConv2d(nn.Module):
    """A 3x3 convolution, some of whose channels are replaced by self-attention.

    Of F = ``out_channels`` channels ``dv = 8 floor(v F / 8)`` come from multi-head
    attention over all positions with keys of ``dk = max(20 heads, 8 floor(k F / 8))``
    channels, the others from the convolution. The logits of a query are
    ``q . (key + r_w[dx] + r_h[dy]) / sqrt(dk / heads)``, with a learned vector for
    every offset of columns and of rows, Equations (3) and (4) of AA-Net.

    ``map_size`` is the largest map that the tables of offsets reach; smaller maps
    take their central part. For maps beyond it the tables are interpolated, which is
    not in the paper.

    Attention takes memory of ``heads * (HW)^2`` numbers an image. So where a map has
    more than ``max_positions`` positions, the attention sees it after a 3x3 average
    pooling of stride 2, repeated until it has no more, and its output is upsampled, as
    the paper proposes for large maps. That happens in detection only.

    Args:
        in_channels (int): Number of channels of the input.
        out_channels (int): Number of channels F of the output.
        stride (int): Stride of the convolution and of the attention's maps.
        heads (int): Number of heads; divides dk and dv.
        k (float): Share of the channels that the keys have.
        v (float): Share of the channels that come from attention.
        map_size (int | tuple[int]): Height and width of the largest output map that
            has an offset table of its own.
        max_positions (int): Positions of a map that attention sees as they are.
        dilation (int): Dilation of the convolution.
        bias (bool): Whether the convolutions add biases.

    Raises:
        UserError: If a number does not fit.
    """

    _abbr_ = 'augmented_conv'

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        heads: int = 8,
        k: float = 0.2,
        v: float = 0.1,
        map_size: Size = 28,
        max_positions: int = 64 * 64,
        dilation: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (
            ('heads', heads),
            ('stride', stride),
            ('dilation', dilation),
            ('max_positions', max_positions),
        ):
            check_positive_integer(name, value)
        for name, share in (('k', k), ('v', v)):
            if not isinstance(share, Real) or isinstance(share, bool) or share <= 0:
                raise UserError(f'{name} must be a positive number, got {share!r}')
        height, width = height_and_width('map_size', map_size)
        self.heads = heads
        self.dk = max(20 * heads, int(k * out_channels) // 8 * 8)
        self.dv = int(v * out_channels) // 8 * 8
        if not 0 < self.dv < out_channels or self.dv % heads or self.dk % heads:
            raise UserError(
                f'{out_channels} channels with k={k} and v={v} give keys of {self.dk} '
                f'and values of {self.dv} channels, which must be positive, fewer than '
                f'all, and divisible by heads={heads}'
            )
        self.stride = stride
        self.max_positions = max_positions
        self.conv = nn.Conv2d(
            in_channels,
            out_channels - self.dv,
            kernel_size=3,
            stride=stride,
            padding=dilation,
            dilation=dilation,
            bias=bias,
        )
        self.qkv = nn.Conv2d(in_channels, 2 * self.dk + self.dv, 1, stride, bias=bias)
        self.project = nn.Conv2d(self.dv, self.dv, 1, bias=bias)
        depth = self.dk // heads
        self.rows = nn.Parameter(torch.randn(2 * height - 1, depth) * depth**-0.5)
        self.columns = nn.Parameter(torch.randn(2 * width - 1, depth) * depth**-0.5)

    def start_as_identity(self) -> None:
        """Does nothing: it is no plain convolution, whatever its weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, F, ceil(H / stride), ceil(W / stride))."""
        if isinstance(x, Proxy):
            return as_node(self, x)
        out = self.conv(x)
        height, width = out.shape[2:]
        while _positions(x, self.stride) > self.max_positions:
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        attended = self._attention(x)
        if attended.shape[2:] != out.shape[2:]:
            attended = F.interpolate(attended, size=(height, width), mode='bilinear')
        # Cast, since on CUDA autocast interpolates in float32.
        return torch.cat([out, attended.to(out.dtype)], dim=1)

    def _attention(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x)
        n, _, h, w = qkv.shape
        query, key, value = [
            part.reshape(n, self.heads, part.shape[1] // self.heads, h * w)
            for part in torch.split(qkv, [self.dk, self.dk, self.dv], dim=1)
        ]
        query = query * (self.dk // self.heads) ** -0.5
        logits = torch.matmul(query.transpose(2, 3), key)  # (N, heads, HW, HW)
        weights = (logits + self._relative(query, h, w)).softmax(dim=3)
        attended = torch.matmul(value, weights.transpose(2, 3))
        return self.project(attended.reshape(n, self.dv, h, w))

    def _relative(self, query: Tensor, h: int, w: int) -> Tensor:
        """Logits of queries (N, heads, depth, HW) by the offsets to the keys.

        Returns:
            Tensor: Shape (N, heads, HW, HW).
        """
        n, heads, depth, _ = query.shape
        query = query.reshape(n, heads, depth, h, w)
        rows = torch.einsum('nadyx,yjd->nayxj', query, _offsets(self.rows, h))
        columns = torch.einsum('nadyx,xkd->nayxk', query, _offsets(self.columns, w))
        logits = rows[..., :, None] + columns[..., None, :]  # (N, heads, H, W, H, W)
        return logits.reshape(n, heads, h * w, h * w)


def _positions(x: Tensor, stride: int) -> int:
    """Number of positions of maps x (N, C, H, W) at this stride."""
    height, width = x.shape[2:]
    return -(-height // stride) * -(-width // stride)


def _offsets(table: Tensor, size: int) -> Tensor:
    """The vector of the offset from i to j, shape (size, size, depth)."""
    reach = (len(table) + 1) // 2
    if size > reach:
        table = F.interpolate(
            table.t()[None], size=2 * size - 1, mode='linear', align_corners=True
        )[0].t()
        reach = size
    positions = torch.arange(size, device=table.device)
    return table[positions[None, :] - positions[:, None] + reach - 1]
