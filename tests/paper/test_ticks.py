"""The ticks of Table 1, found in the layers."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.modules.conv import _ConvNd

from mmdet_eca import config_path
from mmdet_eca.models.attention import (
    AttentionLayer,
    ECALayer,
    GatherExcite,
    SqueezeExcitation,
)
from mmdet_eca.paper import complexity_rows, paper_rows

PLAIN = 25_557_032  # parameters of ResNet-50
# Channels of the first attention layer, the narrowest of its layers, the channels that
# one depends on, and the parameters of the whole network.
SYSTEMS = {
    'se_resnet50': (256, 256 // 16, 256, 28_071_976),
    'cbam_resnet50': (256, 1, 256, 28_089_624),
    'ge_theta_minus_resnet50': (256, 256, 1, PLAIN),
    'ge_theta_resnet50': (256, 256, 1, 31_106_600),
    'ge_theta_plus_resnet50': (256, 256 // 16, 256, 33_637_592),
    'a2_resnet50': (512, 512 // 2, 512, 32_911_400),
    'gsop_resnet50': (256, 128, 256, 28_285_224),
    'eca_resnet50': (256, 256, 3, PLAIN + 80),  # 80: as the paper's text
}
LAYERS = [
    SqueezeExcitation(32, ratio=8),
    ECALayer(32, kernel_size=5),
    GatherExcite(32),
    GatherExcite(32, variant='theta', map_size=3),
    GatherExcite(32, variant='theta+', map_size=3, ratio=4),
]


MAP_SIZE = 3


def first_layer(name):
    """A classifier's first attention layer in float64, with random weights.

    Where kernels are as large as the maps, these are of 3x3.
    """
    init_default_scope('mmdet')
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py')).model.backbone
    if 'image_size' in cfg:
        cfg.image_size = 4 * MAP_SIZE
    with torch.device('meta'):
        backbone = MODELS.build(cfg)
    layer = next(m for m in backbone.modules() if isinstance(m, AttentionLayer))
    layer = layer.to_empty(device='cpu').double().eval()
    generator = torch.Generator().manual_seed(0)
    # All are positive and preserve the size of their inputs, which are positive too:
    # no ReLU is zero, and no sigmoid is so near to 1 that its gradient is zero.
    for key, tensor in layer.state_dict().items():
        if key.endswith('running_mean'):
            tensor.zero_()
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=generator)
            if tensor.ndim > 1:
                tensor /= tensor[0].numel()
    return layer


def positive_input(layer):
    generator = torch.Generator().manual_seed(1)
    x = torch.empty(1, layer.in_channels, MAP_SIZE, MAP_SIZE, dtype=torch.float64)
    return x.uniform_(0.5, 1.5, generator=generator)


def narrowest_width(layer):
    """The fewest outputs, at each position, of a convolution or linear layer in it."""
    widths = [layer.in_channels]

    def note_width(module, inputs, output):
        positions = output[0, 0].numel() if output.ndim == 4 else 1
        widths.append(output[0].numel() // positions)

    handles = [
        module.register_forward_hook(note_width)
        for module in layer.modules()
        if isinstance(module, (_ConvNd, nn.Linear))
    ]
    with torch.no_grad():
        layer(positive_input(layer))
    for handle in handles:
        handle.remove()
    return min(widths)


def channel_reach(layer):
    """On how many channels of the input a channel of the output depends, at most."""
    x = positive_input(layer).requires_grad_()
    # A random sum over the positions, in which nothing cancels.
    sums = (layer(x) * torch.rand_like(x)).sum(dim=(0, 2, 3))
    gradients = (torch.autograd.grad(total, x, retain_graph=True)[0] for total in sums)
    return max(int(gradient[0].flatten(1).any(1).sum()) for gradient in gradients)


@pytest.fixture(scope='module')
def rows():
    return {row['name']: row for row in complexity_rows([1])}


@pytest.mark.parametrize('row', paper_rows([1]), ids=lambda row: row.name)
def test_ticks_are_those_of_the_paper(row, rows):
    channels, narrowest, reach, parameters = SYSTEMS[row.name]
    layer = first_layer(row.name)
    assert layer.in_channels == channels
    assert narrowest_width(layer) == narrowest
    assert channel_reach(layer) == reach
    assert row.paper['no_reduction'] == (narrowest >= channels)
    assert row.paper['cross_channel'] == (reach > 1)
    found = rows[row.name]
    assert found['weights'] == parameters - PLAIN
    lightweight = row.paper.get('lightweight')
    assert found['lightweight'] == lightweight == found['paper_lightweight']


@pytest.mark.parametrize('layer', LAYERS, ids=lambda layer: type(layer).__name__)
def test_the_gate_has_as_many_degrees_of_freedom_as_the_narrowest_layer(layer):
    """The rank of its derivative by the channels at one position."""
    torch.manual_seed(0)
    # A band matrix of some weights is singular but for rounding.
    for module in layer.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    layer = layer.double().eval()
    x = torch.rand(1, 32, 3, 3, dtype=torch.float64) + 0.5

    def gate(at_one_position):
        moved = x.clone()
        moved[0, :, 1, 1] = at_one_position
        return (layer(moved) / moved)[0, :, 0, 0]

    jacobian = torch.autograd.functional.jacobian(gate, x[0, :, 1, 1])
    rank = torch.linalg.matrix_rank(jacobian, rtol=1e-9).item()
    narrowest = narrowest_width(layer)
    assert rank == narrowest or (rank < narrowest < 32)  # a ReLU may be zero
