"""Convolutions with the batch norm that follows folded into them.

Batch norm on stored statistics is an affine map of every channel, so it and the
convolution before it are one convolution, in training as in evaluation.
"""

from typing import Tuple
from weakref import WeakKeyDictionary

import torch
from mmengine.model.efficient_conv_bn_eval import efficient_conv_bn_eval_forward
from mmengine.utils import digit_version
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.utils.fusion import fuse_conv_bn_weights

try:
    from torch.compiler import is_compiling
except ImportError:  # torch 2.1 and 2.2
    from torch._dynamo import is_compiling

# Whether torch.compile can look into a module's __dict__: not in 2.1, in 2.6.
_DICT_COMPILES = digit_version(torch.__version__) >= digit_version('2.6')

# Of every norm: the marks of what it was folded from, those tensors themselves, and
# the folded weight and bias.
_folded = WeakKeyDictionary()


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody watches or replaces the module's calls."""
    if not _DICT_COMPILES and is_compiling():
        return True  # as if, so that a replaced forward is not missed
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or 'forward' in module.__dict__
    )


def is_foldable(conv: nn.Module, norm: nn.Module, x: Tensor) -> bool:
    """Whether ``norm(conv(x))`` is better done as one convolution.

    Weights that may change are folded in every step, and kept for the backward
    pass if they learn: that pays if the maps are larger than the weights.
    """
    if isinstance(x, Proxy):
        return False  # torch.fx is to find both layers in its graph
    if (
        type(conv) is not nn.Conv2d
        or type(norm) is not nn.BatchNorm2d
        or norm.training
        or norm.running_var is None
        or has_hooks(conv)
        or has_hooks(norm)
    ):
        return False
    n, _, h, w = x.shape
    positions = n * (h // conv.stride[0]) * (w // conv.stride[1])
    return _is_constant(conv, norm) or positions > conv.weight[0].numel()


def conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(conv(x))``, as one convolution where that is better.

    Args:
        conv (nn.Module): Any convolution.
        norm (nn.Module): Any norm.
        x (Tensor): Input of the convolution, shape (N, C_in, H, W).

    Returns:
        Tensor: Shape (N, C_out, H', W').
    """
    if not is_foldable(conv, norm, x):
        return norm(conv(x))
    if is_compiling() or not _is_constant(conv, norm):
        return efficient_conv_bn_eval_forward(norm, conv, x)
    return conv._conv_forward(x, *_stored(conv, norm))


def run_folded(modules: nn.Sequential, x: Tensor) -> Tensor:
    """``modules(x)`` with every convolution and norm in a row folded."""
    if has_hooks(modules):
        return modules(x)
    waiting = None
    for module in [*modules, None]:
        if waiting is not None:
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                x, waiting = conv_norm(waiting, module, x), None
                continue
            x = waiting(x)
        waiting = module if isinstance(module, nn.Conv2d) else None
        if module is not None and waiting is None:
            x = module(x)
    return x


def folded_conv_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tuple[Tensor, Tensor]:
    """Weight and bias of ``norm(conv(.))``, differentiable where it learns.

    Only for what :func:`is_foldable` accepts. In evaluation and in frozen stages
    they are computed once and kept until a parameter or a statistic changes.

    Returns:
        tuple[Tensor]: Weight of the shape of ``conv.weight``, bias (C_out,).
    """
    if not is_compiling() and _is_constant(conv, norm):
        return _stored(conv, norm)
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    bias = -norm.running_mean if conv.bias is None else conv.bias - norm.running_mean
    bias = bias * scale
    if norm.bias is not None:
        bias = bias + norm.bias
    return conv.weight * scale[:, None, None, None], bias


def forget_folded(module: nn.Module) -> None:
    """Drops what is kept for the norms of a module."""
    for norm in module.modules():
        _folded.pop(norm, None)


def _is_constant(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> bool:
    """Whether the weights are in evaluation mode, as those of frozen stages are,
    and do not learn. What is in training mode may change without a trace: hooks
    such as mmdet's MeanTeacherHook write into ``.data``."""
    return not conv.training and not (
        torch.is_grad_enabled()
        and any(
            p is not None and p.requires_grad
            for p in (conv.weight, conv.bias, norm.weight, norm.bias)
        )
    )


def _stored(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tuple[Tensor, Tensor]:
    tensors = (
        conv.weight,
        conv.bias,
        norm.weight,
        norm.bias,
        norm.running_mean,
        norm.running_var,
    )
    kept = [t for t in tensors if t is not None]
    if any(t.is_inference() for t in kept):
        origin = None  # changes leave no trace in them
    else:
        # A change in place counts up the version, another .data has another
        # address. Only writing into .data is not seen, until train() or eval().
        origin = [(id(t), t.data_ptr(), t._version, t.dtype) for t in kept]
        stored_origin, _, folded = _folded.get(norm, (None, None, None))
        if origin == stored_origin:
            return folded
    with torch.no_grad():
        weight, bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    folded = weight.detach(), bias.detach()
    if origin is not None:
        # While the memory is held no other tensor can get its address.
        _folded[norm] = origin, [t.detach() for t in kept], folded
    return folded
