"""The end of a residual block whose norm runs on the batch's statistics.

There nothing folds. But what a norm gives is an affine map of what it is given, for
every channel, so that neither it nor what attention makes of it has to be kept for the
backward pass: as in the plain block, that is the norm's input and the block's output.
"""

from collections.abc import Callable, Sequence
from typing import Any, Optional

import torch
from torch import Tensor, nn

from .tracing import is_compiling

Gate = Callable[[Tensor], Tensor]
_CACHED = 2**20  # numbers, 4 MiB in float32


def uses_batch_statistics(norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`norm_attention_tail` can run this norm.

    Args:
        norm (nn.Module): Any norm.
        x (Tensor): Its input, shape (N, C, H, W).
    """
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and x.dim() == 4
        and x.numel() > x.shape[1]  # else torch says what is wrong
        and not is_compiling()  # compilers fuse layers by themselves
        and not torch.jit.is_tracing()
    )


def norm_attention_tail(
    x: Tensor,
    norm: nn.BatchNorm2d,
    gate: Gate,
    weights: Sequence[Tensor],
    identity: Tensor,
) -> Tensor:
    """``relu(identity + gate(GAP(norm(x))) * norm(x))``, on the batch's statistics.

    With g the gradient before the ReLU and b = norm(x), the gradient of b is
    ``gate g + d / HW``, where d is the gradient of GAP(b): that of a small graph from
    the means to the gate, which is given ``sum g b``. Of the maps, b is an affine
    function of x, and is not kept.

    Args:
        x (Tensor): Input of the norm, shape (N, C, H, W), in either memory format.
        norm (nn.BatchNorm2d): In training mode; its running statistics are updated.
        gate (Callable): Maps means (N, C) to weights of the channels (N, C).
        weights (Sequence[Tensor]): The parameters of ``gate``.
        identity (Tensor): The shortcut, shape (N, C, H, W).

    Returns:
        Tensor: Shape (N, C, H, W), in the data type of ``x``.

    Raises:
        RuntimeError: If the gradient is differentiated again.
    """
    weights = [w for w in weights if w.requires_grad]
    inputs = (x, norm.weight, norm.bias, identity, *weights)
    learns = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in inputs
    )
    form = _NormAttentionTail.apply if learns else _forward_only
    return form(norm, _momentum(norm), gate, *inputs)


def _momentum(norm: nn.BatchNorm2d) -> float:
    """The share of the new statistics, of which the norm counts one batch more."""
    if norm.num_batches_tracked is None:
        return 0.0
    norm.num_batches_tracked.add_(1)
    if norm.momentum is None:  # the mean of all batches
        return 1.0 / float(norm.num_batches_tracked)
    return norm.momentum


def _forward_only(
    norm: nn.BatchNorm2d, momentum: float, gate: Gate, *inputs: Any
) -> Tensor:
    x, weight, bias, identity, *_ = inputs
    out, *_ = _batch_norm(norm, momentum, x, weight, bias)
    return _add_and_rectify(out, gate(out.mean((2, 3))), identity)


class _NormAttentionTail(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        norm: nn.BatchNorm2d,
        momentum: float,
        gate: Gate,
        x: Tensor,
        weight: Optional[Tensor],
        bias: Optional[Tensor],
        identity: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        out, mean, invstd, *_ = _batch_norm(norm, momentum, x, weight, bias)
        with torch.enable_grad():
            ctx.pooled = out.mean((2, 3)).requires_grad_()
            ctx.gates = gate(ctx.pooled)
        y = _add_and_rectify(out, ctx.gates.detach(), identity)
        ctx.save_for_backward(x, y, weight, bias, mean, invstd, *weights)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the residual tail of attention and a norm has no second '
                'derivatives; build the backbone with folded=False for them'
            )
        x, y, weight, bias, mean, invstd, *weights = ctx.saved_tensors
        _, _, _, for_x, for_weight, for_bias, for_identity, *_ = ctx.needs_input_grad
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
        sums = grad.sum((2, 3), dtype=mean.dtype)
        normalised, products = (s * invstd for s in _centred_sums(x, mean, grad))
        for_gates = products if weight is None else products * weight
        if bias is not None:
            for_gates = for_gates + bias * sums
        for_pooled, *for_weights = torch.autograd.grad(
            ctx.gates,
            (ctx.pooled, *weights),
            for_gates.to(ctx.gates.dtype),
            retain_graph=True,
        )
        positions = x.shape[2] * x.shape[3]
        # The gradient of the norm's output is gates * grad + for_pooled / positions.
        gates, for_pooled = (t.detach().to(mean.dtype) for t in (ctx.gates, for_pooled))
        grad_bias = (gates * sums + for_pooled).sum(0)
        grad_weight = (gates * products + for_pooled / positions * normalised).sum(0)
        grad_x = None
        if for_x:
            number = x.shape[0] * positions
            scale = invstd if weight is None else invstd * weight
            of_x = -scale * invstd * grad_weight / number
            constant = (
                scale * (for_pooled / positions - grad_bias / number) - mean * of_x
            )
            # In the norm's precision, since the terms may cancel out.
            grad_x = torch.addcmul(
                constant[:, :, None, None], (scale * gates)[:, :, None, None], grad
            ).addcmul_(of_x[:, None, None], x)
            grad_x = grad_x.to(x.dtype)
        return (
            None,
            None,
            None,
            grad_x,
            grad_weight if for_weight else None,
            grad_bias if for_bias else None,
            grad if for_identity else None,
            *for_weights,
        )


def _centred_sums(x: Tensor, mean: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the positions of ``x - mean`` and of ``(x - mean) * grad``.

    On the CPU a few images at a time, through memory that stays in the cache: maps of a
    large batch take five times as long there, most of it for new pages of memory.

    Args:
        x (Tensor): Shape (N, C, H, W).
        mean (Tensor): Shape (C,).
        grad (Tensor): Shape (N, C, H, W).

    Returns:
        tuple[Tensor]: Both of shape (N, C), in the data type of ``mean``.
    """
    images = len(x)
    if x.device.type == 'cpu':
        images = max(1, _CACHED // x[0].numel())
    mean_of_map = mean.to(x.dtype)[:, None, None]
    memory = torch.empty_like(x[:images])
    sums, products = [], []
    for part, of_grad in zip(x.split(images), grad.split(images)):
        centred = torch.sub(part, mean_of_map, out=memory[: len(part)])
        sums.append(centred.sum((2, 3), dtype=mean.dtype))
        products.append(centred.mul_(of_grad).sum((2, 3), dtype=mean.dtype))
    return torch.cat(sums), torch.cat(products)


def _batch_norm(
    norm: nn.BatchNorm2d,
    momentum: float,
    x: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
) -> tuple:
    """The norm's output, mean, 1 / deviation and what its backward pass needs.

    By the operator that ``torch.nn.functional.batch_norm`` calls.
    """
    return torch._batch_norm_impl_index(
        x,
        weight,
        bias,
        norm.running_mean,
        norm.running_var,
        True,
        momentum,
        norm.eps,
        torch.backends.cudnn.enabled,
    )


def _add_and_rectify(out: Tensor, gates: Tensor, identity: Tensor) -> Tensor:
    """``relu(identity + gates * out)``, in the memory of ``out``."""
    identity, gates = identity.to(out.dtype), gates.to(out.dtype)
    in_place = out.stride() == identity.stride()
    return torch.addcmul(
        identity, gates[:, :, None, None], out, out=out if in_place else None
    ).relu_()
