"""Convolutions with the batch norm that follows folded into them.

Batch norm on stored statistics is an affine map of every channel, so it and the
convolution before it are one convolution, in training as in evaluation. The
weights are folded anew in every call, so they are never out of date.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(conv(x))``, as one convolution where :func:`is_foldable` says so.

    Args:
        conv (nn.Module): Any convolution.
        norm (nn.Module): Any norm.
        x (Tensor): Input of the convolution, shape (N, C_in, H, W).

    Returns:
        Tensor: Shape (N, C_out, H', W').
    """
    if not is_foldable(conv, norm, x):
        return norm(conv(x))
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    weight, bias = fold_norm(conv, norm)
    return F.conv2d(
        x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups
    )


def run_folded(modules: nn.Sequential, x: Tensor) -> Tensor:
    """``modules(x)``, with each batch norm and the layer before it in one."""
    if has_hooks(modules):
        return modules(x)
    steps = list(modules)
    while steps:
        step = steps.pop(0)
        if steps and isinstance(steps[0], nn.BatchNorm2d):
            x = conv_norm(step, steps.pop(0), x)
        else:
            x = step(x)
    return x


def is_foldable(conv: nn.Module, norm: nn.Module, x: Tensor) -> bool:
    """Whether ``norm(conv(x))`` can be one convolution and is faster as one.

    It can be if the norm runs on stored statistics and no hook observes the two
    modules. It is faster if an image's map is larger than the weights: folding
    goes over the weights once, the norm over the map.
    """
    if (
        type(conv) is not nn.Conv2d
        or conv.padding_mode != 'zeros'
        or type(norm) is not nn.BatchNorm2d
        or norm.training
        or norm.running_var is None
        or has_hooks(conv)
        or has_hooks(norm)
    ):
        return False
    height, width = (size // stride for size, stride in zip(x.shape[2:], conv.stride))
    return height * width > conv.weight[0].numel()


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of ``norm(conv(.))``, for a norm on stored statistics.

    They carry gradients to the weights of both, which those of
    ``torch.nn.utils.fusion`` do not.

    Returns:
        tuple[Tensor]: Weight of the shape of ``conv.weight``, bias (C_out,).
    """
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    scale = (variance + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    bias = -mean if conv.bias is None else conv.bias - mean
    bias = bias * scale
    if norm.bias is not None:
        bias = bias + norm.bias
    return conv.weight * scale[:, None, None, None], bias


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody watches or replaces the module's calls."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or 'forward' in module.__dict__
    )
