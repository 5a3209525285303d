"""Networks of CBAM, GSoP-Net1 and timm, written here from their authors' definitions.

The parameters have the authors' names; ``width`` is that of the first stage, theirs 64.
"""

import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from tests.weights.layouts import fill

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class Block(nn.Module):
    """A basic block, or with ``bottleneck`` one of three convolutions.

    The stride is in the 3x3 convolution, as in torchvision.
    """

    def __init__(self, in_channels, width, stride, bottleneck):
        super().__init__()
        last = 4 * width if bottleneck else width
        layers = (
            [(in_channels, width, 1, 1), (width, width, 3, stride), (width, last, 1, 1)]
            if bottleneck
            else [(in_channels, width, 3, stride), (width, width, 3, 1)]
        )
        self.number = len(layers)
        for i, (before, after, size, step) in enumerate(layers, start=1):
            conv = nn.Conv2d(before, after, size, step, size // 2, bias=False)
            self.add_module(f'conv{i}', conv)
            self.add_module(f'bn{i}', nn.BatchNorm2d(after))
        self.downsample = None
        if stride != 1 or in_channels != last:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, last, 1, stride, bias=False),
                nn.BatchNorm2d(last),
            )

    def attend(self, x):
        return x

    def forward(self, x):
        out = x
        for i in range(1, self.number + 1):
            out = getattr(self, f'bn{i}')(getattr(self, f'conv{i}')(out))
            if i < self.number:
                out = out.relu()
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.attend(out) + shortcut).relu()


class ChannelGate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, channels // 16),
            nn.ReLU(),
            nn.Linear(channels // 16, channels),
        )

    def forward(self, x):
        average = self.mlp(F.adaptive_avg_pool2d(x, 1))
        largest = self.mlp(F.adaptive_max_pool2d(x, 1))
        return x * torch.sigmoid(average + largest)[..., None, None]


class SpatialGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.spatial = nn.ModuleDict(
            dict(
                conv=nn.Conv2d(2, 1, 7, padding=3, bias=False),
                bn=nn.BatchNorm2d(1, eps=1e-5, momentum=0.01),
            )
        )

    def forward(self, x):
        largest, average = x.max(dim=1)[0], x.mean(dim=1)
        pooled = torch.stack([largest, average], dim=1)
        return x * self.spatial['bn'](self.spatial['conv'](pooled)).sigmoid()


class CBAMBlock(Block):
    def __init__(self, in_channels, width, stride, bottleneck, stage, last):
        super().__init__(in_channels, width, stride, bottleneck)
        self.cbam = nn.Module()
        self.cbam.ChannelGate = ChannelGate(4 * width if bottleneck else width)
        self.cbam.SpatialGate = SpatialGate()

    def attend(self, x):
        return self.cbam.SpatialGate(self.cbam.ChannelGate(x))


class GSoPBlock(Block):
    def __init__(self, in_channels, width, stride, bottleneck, stage, last, dim=128):
        super().__init__(in_channels, width, stride, bottleneck)
        self.with_attention = last
        if last:
            step = 2 if stage == 0 else 1
            self.conv_for_DR = nn.Conv2d(4 * width, dim, 1, stride=step)
            self.bn_for_DR = nn.BatchNorm2d(dim)
            self.row_bn = nn.BatchNorm2d(dim)
            self.row_conv_group = nn.Conv2d(dim, 4 * dim, (dim, 1), groups=dim)
            self.fc_adapt_channels = nn.Conv2d(4 * dim, 4 * width, 1)

    def attend(self, x):
        if not self.with_attention:
            return x
        z = self.bn_for_DR(self.conv_for_DR(x.relu())).relu().flatten(2)
        number = z.shape[2]
        centre = torch.eye(number).to(z) / number - torch.ones(1).to(z) / number**2
        covariance = z @ centre @ z.transpose(1, 2)
        rows = self.row_bn(covariance[..., None])
        return x * self.fc_adapt_channels(self.row_conv_group(rows)).sigmoid()


class SEGate(nn.Module):
    """timm's: the hidden layer has a multiple of 8 channels."""

    def __init__(self, channels):
        super().__init__()
        hidden = max(8, int(channels / 16 + 4) // 8 * 8)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        hidden = self.fc1(x.mean((2, 3), keepdim=True)).relu()
        return x * self.fc2(hidden).sigmoid()


class ECAGate(nn.Module):
    """timm's: the next odd number from the logarithm of the channels on."""

    def __init__(self, channels):
        super().__init__()
        size = int(abs(math.log(channels, 2) + 1) / 2)
        size = max(size if size % 2 else size + 1, 3)
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x):
        gate = self.conv(x.mean((2, 3))[:, None]).sigmoid()
        return x * gate[:, 0, :, None, None]


class TimmBlock(Block):
    """``se`` is the gate, whichever it is; the shortcut may pool."""

    def __init__(self, in_channels, width, stride, bottleneck, gate, avg_down, **_):
        super().__init__(in_channels, width, stride, bottleneck)
        channels = 4 * width if bottleneck else width
        self.se = gate(channels)
        if avg_down and self.downsample is not None:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
                if stride == 2
                else nn.Identity(),
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

    def attend(self, x):
        return self.se(x)


class ResNet(nn.Module):
    """A ResNet of such blocks, with its classifier; returns all stages' features."""

    def __init__(self, block, blocks, bottleneck, width, strides=(1, 2, 2, 2)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage, (number, stride) in enumerate(zip(blocks, strides)):
            modules = []
            for index in range(number):
                planes = width * 2**stage
                modules.append(
                    block(
                        channels,
                        planes,
                        stride if index == 0 else 1,
                        bottleneck,
                        stage=stage,
                        last=index == number - 1,
                    )
                )
                channels = planes * (4 if bottleneck else 1)
            self.add_module(f'layer{stage + 1}', nn.Sequential(*modules))
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x):
        x = F.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        features = []
        for stage in range(1, 5):
            x = getattr(self, f'layer{stage}')(x)
            features.append(x)
        return features


def cbam_resnet(depth, width=64):
    return ResNet(CBAMBlock, BLOCKS[depth], depth >= 50, width)


def gsop_resnet(depth, width=64):
    """The authors do not give the last stage a stride."""
    return ResNet(GSoPBlock, BLOCKS[depth], True, width, strides=(1, 2, 2, 1))


def timm_resnet(gate, blocks, bottleneck=True, stem=None, avg_down=False, width=64):
    """``stem`` has the widths of the first two of three convolutions, of 64."""
    network = ResNet(
        partial(TimmBlock, gate=gate, avg_down=avg_down), blocks, bottleneck, width
    )
    if stem is not None:
        first, second = (number * width // 64 for number in stem)
        network.conv1 = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, 1, 1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.Conv2d(second, width, 3, 1, 1, bias=False),
        )
    return network


def random_weights(network):
    """Weights whose branches are smaller than the shortcuts, as trained ones."""
    weights = fill({name: tuple(w.shape) for name, w in network.state_dict().items()})
    last = 'bn3.weight' if 'layer1.0.bn3.weight' in weights else 'bn2.weight'
    for name, value in weights.items():
        if name.endswith(f'.{last}'):
            value *= 0.2
    return weights


@torch.no_grad()
def assert_same_features(network, reference, images):
    """Of all stages, in proportion to the largest, in single and double precision."""
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        for module in (network, reference):
            module.to(dtype).eval()
        x = images.to(dtype)
        for features, expected in zip(network(x), reference(x)):
            size = expected.abs().max()
            assert 1e-2 < size < 1e3  # neither vanished nor exploded
            assert (features - expected).abs().max() < tolerance * size
