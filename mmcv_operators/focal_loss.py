"""Focal loss (Lin et al., Focal Loss for Dense Object Detection, ICCV 2017).

``FL(p_t) = -alpha_t (1 - p_t)^gamma log(p_t)``, by the sigmoid of each class or by the
softmax over the classes. Computed in float32, or in float64 for float64.
"""

import torch
from torch import Tensor


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fills ``output`` with the loss of each class.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Classes, shape (N,); C is the background.
        weight (Tensor): A factor for each class of a target, shape (C,), or none: (0,).
        output (Tensor): Shape (N, C).
        gamma (float): How much less the easy examples count.
        alpha (float): Weight of the positive examples; 1 - alpha is the others'.
    """
    p, is_class = _probabilities(input, target)
    positive = (1 - p).pow(gamma) * _log(p)
    negative = p.pow(gamma) * _log(1 - p)
    loss = -torch.where(is_class, alpha * positive, (1 - alpha) * negative)
    output.copy_(loss * _factors(weight, target, loss)[:, None])


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fills ``grad_input`` with the derivative of the loss by the logits.

    With dp/dx = p (1 - p) the derivative of the positive term is
    ``(1 - p)^gamma (1 - p - gamma p log p)`` and of the negative
    ``p^gamma (gamma (1 - p) log(1 - p) - p)``. The arguments are those of
    :func:`sigmoid_focal_loss_forward`.
    """
    p, is_class = _probabilities(input, target)
    positive = (1 - p).pow(gamma) * (1 - p - gamma * p * _log(p))
    negative = p.pow(gamma) * (gamma * (1 - p) * _log(1 - p) - p)
    grad = -torch.where(is_class, alpha * positive, (1 - alpha) * negative)
    grad_input.copy_(grad * _factors(weight, target, grad)[:, None])


def softmax_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fills ``output`` with the loss of each example.

    Args:
        input (Tensor): Probabilities (the softmax), shape (N, C).
        target (Tensor): Classes, shape (N,); a negative one has no loss.
        weight (Tensor): See :func:`sigmoid_focal_loss_forward`.
        output (Tensor): Shape (N,).
        gamma (float): See :func:`sigmoid_focal_loss_forward`.
        alpha (float): Weight of the loss.
    """
    p = _of_target(input, target)
    loss = -alpha * (1 - p).pow(gamma) * _log(p) * _factors(weight, target, p)
    output.copy_(torch.where(target >= 0, loss, 0))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fills ``grad_input`` with the derivative of the loss by the logits.

    With p of the target's class, dp/dx_c = p (1[c = target] - p_c), so the derivative
    is ``alpha (gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma)`` times the bracket.
    ``buff``, of shape (N,), is filled with the first factor. The other arguments are
    those of :func:`softmax_focal_loss_forward`.
    """
    p = _of_target(input, target)
    inner = gamma * (1 - p).pow(gamma - 1) * p * _log(p) - (1 - p).pow(gamma)
    factor = torch.where(target >= 0, alpha * inner * _factors(weight, target, p), 0)
    buff.copy_(factor)
    classes = torch.arange(input.shape[1], device=input.device)
    bracket = (target[:, None] == classes).to(p.dtype) - input.to(p.dtype)
    grad_input.copy_(factor[:, None] * bracket)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.element_size() == 2 else x


def _probabilities(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Returns sigmoids, and which are of the target's class, shape (N, C)."""
    classes = torch.arange(input.shape[1], device=input.device)
    return _wide(input).sigmoid(), target[:, None] == classes


def _of_target(input: Tensor, target: Tensor) -> Tensor:
    """Returns each example's probability of its class, shape (N,)."""
    return _wide(input).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=torch.finfo(torch.float32).tiny).log()


def _factors(weight: Tensor, target: Tensor, like: Tensor) -> Tensor:
    """Returns the factor of each example, shape (N,).

    mmcv reads beyond the weights for the background; its factor is 1 here.
    """
    if not weight.numel():
        return like.new_ones(len(target))
    has_class = (target >= 0) & (target < len(weight))
    found = weight.to(like.dtype)[target.clamp(0, len(weight) - 1)]
    return torch.where(has_class, found, 1)
