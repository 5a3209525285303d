"""A folded and a direct backbone of the same weights, side by side."""

import copy

import torch
from torch import nn

SMALL = dict(base_channels=8)


def pair(build, **arguments):
    """A folded and a direct backbone of the same weights, in float64, so that
    what is compared is the formula and not some device's algorithms."""
    folded = build(**copy.deepcopy(arguments)).double()
    for module in folded.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.track_running_stats:
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
                nn.init.uniform_(module.running_var, 0.5, 1)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1)
                nn.init.uniform_(module.bias, -0.1, 0.1)
    for weight in folded.parameters():
        if not weight.any():  # where attention starts as the identity
            nn.init.normal_(weight, std=0.1)
    direct = build(folded=False, **copy.deepcopy(arguments)).double()
    direct.load_state_dict(folded.state_dict())
    return folded, direct


def images(*shape):
    return torch.randn(shape, dtype=torch.float64)


def ones():
    return torch.ones(1, 3, 64, 64, dtype=torch.float64)


def assert_same_inference(folded, direct, x=None):
    x = ones() if x is None else x
    with torch.no_grad():
        for out, expected in zip(folded(x), direct(x)):
            torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-12)
