"""The end of a residual block with channel attention, as one operation."""

from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.nn import functional as F


def fused_gate_add_relu(
    x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, identity: Tensor
) -> Tensor:
    """``relu(identity + gate * (weight x + bias))``.

    A 1x1 convolution whose norm is folded into it, channel attention, the
    shortcut and the ReLU. Attention costs no additional pass over maps of the
    output's size, and of these only the output is kept for the backward pass.

    Args:
        x (Tensor): Input of the convolution, shape (N, K, H, W), in either
            memory format.
        weight (Tensor): Folded weight, shape (C, K).
        bias (Tensor): Folded bias, shape (C,).
        gate (Tensor): Weights of the channels, shape (N, C).
        identity (Tensor): The shortcut, shape (N, C, H, W).

    Returns:
        Tensor: Shape (N, C, H, W), in the data type of ``x``, or in autocast's.

    Raises:
        RuntimeError: If the gradient is differentiated again.
    """
    inputs = [t.to(x.dtype) for t in (x, weight, bias, gate, identity)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
        return _GateAddReLU.apply(*inputs)
    return _GateAddReLU.forward(*inputs)


class _GateAddReLU(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, identity: Tensor
    ) -> Tensor:
        out = F.conv2d(x, weight[:, :, None, None], bias)
        identity, gate = identity.to(out.dtype), gate.to(out.dtype)
        # Compilers work in place by themselves, and ONNX cannot say it.
        in_place = (
            out.stride() == identity.stride()
            and not is_compiling()
            and not torch.jit.is_tracing()
        )
        return torch.addcmul(
            identity, gate[:, :, None, None], out, out=out if in_place else None
        ).relu_()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, weight, bias, gate, _ = inputs
        ctx.save_for_backward(x, weight, bias, gate, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the folded residual tail has no second derivatives; build the '
                'backbone with folded=False for them'
            )
        *inputs, out = ctx.saved_tensors
        x, weight, bias, gate = (t.to(out.dtype) for t in inputs)
        for_x, for_weight, for_bias, for_gate, for_identity = ctx.needs_input_grad
        grad = torch.ops.aten.threshold_backward(grad, out, 0)
        # As if every image had a convolution of its own, whose weight and bias
        # are multiplied by its gate. From their gradients follow those of the
        # weight, the bias and the gate.
        grad_x, weights, biases = _conv_backward(
            grad,
            x,
            gate[:, :, None] * weight,
            (for_x, for_weight or for_gate, for_bias or for_gate),
        )
        grad_weight = grad_bias = grad_gate = None
        if for_weight:
            grad_weight = (gate[:, :, None] * weights).sum(0)
        if for_bias:
            grad_bias = (gate * biases).sum(0)
        if for_gate:
            grad_gate = (weights * weight).sum(2) + biases * bias
        return (
            grad_x,
            grad_weight,
            grad_bias,
            grad_gate,
            grad if for_identity else None,
        )


def _conv_backward(
    grad: Tensor, x: Tensor, weights: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, ...]:
    """Returns the gradients of ``weights[n] x[n] + biases[n]``, image by image.

    Args:
        grad (Tensor): Gradient of the result, shape (N, C, H, W).
        x (Tensor): Shape (N, K, H, W).
        weights (Tensor): Shape (N, C, K).
        wanted (tuple[bool]): Which of the three are computed.

    Returns:
        tuple[Tensor]: For x (N, K, H, W), the weights (N, C, K) and the biases
        (N, C); None where it is not wanted.
    """
    if not len(x):
        empty = torch.zeros_like(x), torch.zeros_like(weights), grad.sum((2, 3))
        return tuple(t if want else None for t, want in zip(empty, wanted))
    images = [
        torch.ops.aten.convolution_backward(
            grad[n : n + 1],
            x[n : n + 1],
            weights[n, :, :, None, None],
            [weights.shape[1]],
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            wanted,
        )
        for n in range(len(x))
    ]
    for_x, for_weights, for_biases = zip(*images)
    return (
        torch.cat(for_x) if wanted[0] else None,
        torch.stack(for_weights).flatten(2) if wanted[1] else None,
        torch.stack(for_biases) if wanted[2] else None,
    )
