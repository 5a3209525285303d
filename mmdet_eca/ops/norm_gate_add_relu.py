"""The end of a residual block whose norm runs on the batch's statistics.

There nothing folds. But what a norm gives is an affine map of what it is given, for
every channel, so that neither it nor what attention makes of it has to be kept for the
backward pass: as in the plain block, that is the norm's input and the block's output.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

Gate = Callable[[Tensor], Tensor]
_CACHED = 2**20  # numbers, 4 MiB in float32


def uses_batch_statistics(norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`fused_norm_gate_add_relu` can run this norm.

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


def fused_norm_gate_add_relu(
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
    form = _NormGateAddReLU.apply if learns else _forward_only
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


class _NormGateAddReLU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        norm: nn.BatchNorm2d,
        momentum: float,
        gate: Gate,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
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
        grad, sums, *others = _rectified_sums(grad, y, x, mean)
        normalised, products = (s * invstd for s in others)
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
            grad_x = _affine(scale * gates, grad, of_x, x, constant)
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


def _rectified_sums(
    grad: Tensor, y: Tensor, x: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradient g before a ReLU, and its sums and those of the norm's input.

    Args:
        grad (Tensor): The gradient of the ReLU's output, shape (N, C, H, W).
        y (Tensor): The ReLU's output, shape (N, C, H, W).
        x (Tensor): Shape (N, C, H, W).
        mean (Tensor): Shape (C,).

    Returns:
        tuple[Tensor]: g, shape (N, C, H, W), and the sums over the positions of g, of
        ``x - mean`` and of ``(x - mean) * g``, shape (N, C), in the data type of
        ``mean``.
    """
    rectified = torch.empty_like(x, dtype=torch.result_type(grad, y))
    mean_of_map = mean.to(x.dtype)[:, None, None]
    memory = torch.empty_like(next(_parts(x))[0])
    sums, of_x, products = [], [], []
    for maps in _parts(x, rectified, grad, y):
        part, of_g, of_grad, of_y = maps
        torch.ops.aten.threshold_backward(of_grad, of_y, 0, grad_input=of_g)
        sums.append(of_g.sum((2, 3), dtype=mean.dtype))
        centred = torch.sub(part, mean_of_map, out=memory[: len(part)])
        of_x.append(centred.sum((2, 3), dtype=mean.dtype))
        products.append(centred.mul_(of_g).sum((2, 3), dtype=mean.dtype))
    return rectified, torch.cat(sums), torch.cat(of_x), torch.cat(products)


def _affine(a: Tensor, g: Tensor, b: Tensor, x: Tensor, c: Tensor) -> Tensor:
    """``a g + b x + c`` in the data type of ``x``.

    It is computed in that of the factors, the norm's, since the terms may cancel out.

    Args:
        a (Tensor): Shape (N, C).
        g (Tensor): Shape (N, C, H, W).
        b (Tensor): Shape (C,).
        x (Tensor): Shape (N, C, H, W).
        c (Tensor): Shape (N, C).
    """
    out = torch.empty_like(x)
    a, b, c = a[:, :, None, None], b[:, None, None], c[:, :, None, None]
    for to, *maps in _parts(out, a, g, x, c):
        of_a, of_g, of_x, of_c = maps
        if out.dtype == a.dtype:
            torch.addcmul(of_c, of_a, of_g, out=to).addcmul_(b, of_x)
        else:
            to.copy_(torch.addcmul(of_c, of_a, of_g).addcmul_(b, of_x))
    return out


def _parts(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Splits a batch on the CPU into parts that fit into the cache.

    What is done there to one part after the other reads the memory once.

    Args:
        *maps (Tensor): The first of shape (N, C, H, W), the others (N, C, ...).
    """
    images = max(1, len(maps[0]))
    if maps[0].device.type == 'cpu':
        images = max(1, _CACHED // maps[0][0].numel())
    return zip(*(m.split(images) for m in maps))


def _batch_norm(
    norm: nn.BatchNorm2d,
    momentum: float,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
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
    gates = gates.to(out.dtype)[:, :, None, None]
    for to, of_gates, of_identity in _parts(out, gates, identity.to(out.dtype)):
        torch.addcmul(of_identity, of_gates, to, out=to).relu_()
    return out
