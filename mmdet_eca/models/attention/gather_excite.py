"""Gather-excite, Hu et al., NeurIPS 2018.

https://arxiv.org/abs/1810.12348; the authors' networks are
https://github.com/hujie-frank/GENet.
"""

from numbers import Integral
from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.fx import Proxy

from ...errors import UserError
from ...ops import as_node
from .attention_layer import (
    AttentionLayer,
    Size,
    height_and_width,
    mean_over_positions,
    reduced_channels,
    zero,
)

VARIANTS = ('theta-', 'theta', 'theta+')
EXTENTS = (2, 4, 8)


@MODELS.register_module()
class GatherExcite(AttentionLayer):
    """Rescales each value by a gate computed from its neighbourhood in its channel.

    ``x * sigmoid(upsample(excite(gather(x))))``, Section 3 of GE. A neighbourhood
    reaches over ``extent`` times its stride; without an extent it is the whole map.

    ========= ============================= ======================================
    variant   gather                        excite
    ========= ============================= ======================================
    'theta-'  average pooling               nothing: no weights
    'theta'   depth-wise convolutions, BN   nothing
    'theta+'  the same, and ReLU            W2 relu(W1 . + b1) + b2, as 1x1
                                            convolutions
    ========= ============================= ======================================

    For classification 'theta' and 'theta+' gather with a kernel as large as the map
    (``extent=None``), which ``map_size`` gives; such a layer runs at this size only.
    For detection take ``extent=8``, which runs at any size.

    Args:
        in_channels (int): Number of channels C of the input.
        variant (str): 'theta-', 'theta' or 'theta+'.
        extent (int, optional): 2, 4 or 8; None for the whole map.
        map_size (int | tuple[int], optional): Height and width of the maps, for
            'theta' and 'theta+' without extent.
        ratio (int): Reduction r of 'theta+': ``W1`` is (C // r, C).
        count_include_pad (bool): Whether the average of 'theta-' with an extent
            counts the zeros around the map; the paper does not say.

    Raises:
        UserError: If the variant or the extent is unknown, ``map_size`` is missing or
            no size, or ``ratio`` does not fit; in the forward pass, if the maps have
            another size than ``map_size``.
    """

    _abbr_ = 'ge'

    def __init__(
        self,
        in_channels: int,
        variant: str = 'theta-',
        extent: int | None = None,
        map_size: Size | None = None,
        ratio: int = 16,
        count_include_pad: bool = False,
    ) -> None:
        super().__init__(in_channels)
        if variant not in VARIANTS:
            raise UserError(f'variant must be one of {VARIANTS}, got {variant!r}')
        if extent is not None and not (
            extent in EXTENTS and isinstance(extent, Integral)
        ):
            raise UserError(
                f'extent must be one of {EXTENTS}, or None for the whole map, '
                f'got {extent!r}'
            )
        self.variant = variant
        self.extent = extent
        self.count_include_pad = count_include_pad
        self.map_size = None
        self.depends_on_channel_means = variant == 'theta-' and extent is None
        if variant == 'theta-':
            return
        if extent is None:
            if map_size is None:
                raise UserError(
                    'map_size is missing: without extent the kernel is as large as '
                    'the map; give its size, or extent=8 for images of any size'
                )
            self.map_size = height_and_width('map_size', map_size)
            self.gather = _depthwise(in_channels, self.map_size)
        else:
            self.gather = _strided(in_channels, extent)
        if variant == 'theta+':
            width = reduced_channels(in_channels, ratio)
            self.excite = nn.Sequential(
                nn.ReLU(inplace=True),
                nn.Conv2d(in_channels, width, kernel_size=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, in_channels, kernel_size=1),
            )
        self.init_weights()

    def init_weights(self) -> None:
        """Starts the layer's weights, if it has any, as the authors do."""
        if self.variant == 'theta-':
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.get_parameter('bias'))

    def start_as_identity(self) -> float | None:
        """Zeroes the last weights; returns the gate, None for 'theta-' without any."""
        if self.variant == 'theta-':
            return None
        zero((self.gather if self.variant == 'theta' else self.excite)[-1])
        return 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        if isinstance(x, Proxy):
            return as_node(self, x)
        gathered = self._average(x) if self.variant == 'theta-' else self._gather(x)
        if self.variant == 'theta+':
            gathered = self.excite(gathered)
        gate = gathered.sigmoid()
        if self.extent is not None:  # on CUDA autocast interpolates in float32
            gate = F.interpolate(gate, size=x.shape[2:], mode='nearest').to(x.dtype)
        return x * gate

    def gate(self, pooled: Tensor) -> Tensor:
        """``sigmoid(pooled)`` of means (N, C), for 'theta-' without extent."""
        return pooled.sigmoid()

    def gate_before_conv(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The gate of ``weight x + bias``, shape (N, C), for the same."""
        return self.gate(F.linear(mean_over_positions(x), weight, bias))

    def _average(self, x: Tensor) -> Tensor:
        if self.extent is None:
            return x.mean(dim=(2, 3), keepdim=True)
        return F.avg_pool2d(
            x,
            kernel_size=2 * self.extent - 1,
            stride=self.extent,
            padding=self.extent - 1,
            count_include_pad=self.count_include_pad,
        )

    def _gather(self, x: Tensor) -> Tensor:
        if self.map_size is not None and tuple(x.shape[2:]) != self.map_size:
            raise UserError(
                f'GE-{self.variant} without extent was built for maps of '
                f'{self.map_size}, got {tuple(x.shape[2:])}: give images of the size '
                'that it was built for, or set extent=8'
            )
        return self.gather(x)


def _depthwise(
    channels: int, size: int | tuple[int, int], **kwargs: Any
) -> nn.Sequential:
    """A depth-wise convolution with a kernel of this size, and its norm."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, size, groups=channels, bias=False, **kwargs),
        nn.BatchNorm2d(channels),
    )


def _strided(channels: int, extent: int) -> nn.Sequential:
    """Depth-wise 3x3 convolutions of stride 2, one for every factor 2 in ``extent``.

    A ReLU stands between two of them.
    """
    layers = []
    while extent > 1:
        layers += [*_depthwise(channels, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
        extent //= 2
    return nn.Sequential(*layers[:-1])
