"""mmcv's Python wrappers over one set of operators or the other."""

import sys
from contextlib import contextmanager

import mmcv.ops
import torch

from mmcv_operators import extension

MODULES = (
    *('nms', 'roi_align', 'roi_pool', 'focal_loss', 'deform_conv'),
    *('modulated_deform_conv', 'multi_scale_deform_attn', 'masked_conv', 'carafe'),
)


@contextmanager
def operators(module):
    """Gives mmcv's wrappers these operators."""
    wrappers = [sys.modules[f'mmcv.ops.{name}'] for name in MODULES]
    before = [wrapper.ext_module for wrapper in wrappers]
    try:
        for wrapper in wrappers:
            wrapper.ext_module = module
        yield mmcv.ops
    finally:
        for wrapper, theirs in zip(wrappers, before):
            wrapper.ext_module = theirs


def ours():
    """Gives mmcv's wrappers the operators that need no compiling."""
    return operators(extension)


def outputs_and_gradients(function, *tensors):
    """The output of a function, and the gradients by its floating-point inputs for a
    random gradient of the output."""
    leaves = [
        tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor
        for tensor in tensors
    ]
    out = function(*leaves)
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    found = torch.autograd.grad(out, wanted, grad.to(out), allow_unused=True)
    return [out.detach(), *found]
