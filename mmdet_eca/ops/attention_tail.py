"""The end of a residual block with channel attention, as one operation."""
from typing import Tuple

import torch
from torch import Tensor
from torch.nn import functional as F


def attention_tail(x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor,
                   identity: Tensor) -> Tensor:
    """``relu(identity + gate * (weight x + bias))``.

    A 1x1 convolution whose norm is folded into it, channel attention, the
    shortcut and the ReLU. What has the size of the output is passed over as
    seldom as can be, and only the output itself is kept for the backward pass.

    Args:
        x (Tensor): Input of the convolution, shape (N, K, H, W), in either
            memory format.
        weight (Tensor): Folded weight, shape (C, K).
        bias (Tensor): Folded bias, shape (C,).
        gate (Tensor): Weights of the channels, shape (N, C).
        identity (Tensor): The shortcut, shape (N, C, H, W).

    Returns:
        Tensor: Shape (N, C, H, W), in the data type of ``x``.

    Raises:
        RuntimeError: If the gradient is differentiated again.
    """
    inputs = [t.to(x.dtype) for t in (x, weight, bias, gate, identity)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
        return _AttentionTail.apply(*inputs)
    if len(x) == 1:
        # The gate goes into the weight: a plain convolution is left.
        x, weight, bias, gate, identity = inputs
        weight = gate.t() * weight
        out = F.conv2d(x, weight[:, :, None, None], gate[0] * bias)
        out += identity
        return out.relu_()
    return _AttentionTail.forward(*inputs)


class _AttentionTail(torch.autograd.Function):

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor,
                identity: Tensor) -> Tensor:
        if _is_channels_last(x):
            # (N, HW, K) times (N, K, C)
            out = _rows(identity) + (gate * bias)[:, None]
            gated = gate[:, None] * weight.t()
            out.baddbmm_(_rows(x), gated).relu_()
            return _maps(out, identity)
        # (N, C, K) times (N, K, HW)
        out = identity.flatten(2) + (gate * bias)[:, :, None]
        out.baddbmm_(gate[:, :, None] * weight, x.flatten(2)).relu_()
        return out.view(identity.shape)

    @staticmethod
    def setup_context(ctx, inputs: Tuple, output: Tensor) -> None:
        x, weight, bias, gate, _ = inputs
        ctx.save_for_backward(x, weight, bias, gate, output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tuple:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the folded residual tail has no second derivatives; build the '
                'backbone with folded=False for them')
        x, weight, bias, gate, out = ctx.saved_tensors
        for_x, for_weight, for_bias, for_gate, for_identity = \
            ctx.needs_input_grad
        grad = torch.ops.aten.threshold_backward(grad, out, 0)
        grad_x = grad_weight = grad_bias = grad_gate = None
        channels_last = _is_channels_last(x)
        rows = _rows(grad) if channels_last else grad.flatten(2)
        if for_x:
            if channels_last:
                grad_x = _maps(rows @ (gate[:, :, None] * weight), x)
            else:
                gated = gate[:, None] * weight.t()
                grad_x = torch.bmm(gated, rows).view(x.shape)
        if for_weight or for_gate:
            # (N, C, K): the weight's gradient of every image, without the gate
            if channels_last:
                products = torch.bmm(rows.transpose(1, 2), _rows(x))
            else:
                products = torch.bmm(rows, x.flatten(2).transpose(1, 2))
        if for_bias or for_gate:
            sums = rows.sum(1 if channels_last else 2)
        if for_weight:
            grad_weight = (gate[:, :, None] * products).sum(0)
        if for_bias:
            grad_bias = (gate * sums).sum(0)
        if for_gate:
            grad_gate = (products * weight).sum(2) + sums * bias
        return (grad_x, grad_weight, grad_bias, grad_gate,
                grad if for_identity else None)


def _is_channels_last(x: Tensor) -> bool:
    return (x.is_contiguous(memory_format=torch.channels_last)
            and not x.is_contiguous())


def _rows(maps: Tensor) -> Tensor:
    """(N, C, H, W) as (N, HW, C), without a copy if it is channels-last."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """(N, HW, C) as (N, C, H, W), without a copy."""
    n, _, h, w = like.shape
    return rows.view(n, h, w, -1).permute(0, 3, 1, 2)
