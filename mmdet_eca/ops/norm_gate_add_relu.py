"""The end of a residual block, from its last convolution's output on, in few passes.

    y = relu(identity + w (s (z - mu) + b)),  w = gate(GAP(s (z - mu) + b))

z is the convolution's output, mu, s = gamma r, r = (var + eps)^-1/2 and b = beta are
the norm's, on stored or on the batch's statistics. For every image and channel this is
an affine map of z, so of the maps z and y are all that the backward pass needs:

    y = relu(identity + A (z - mu) + B),  A = w s,  B = w b,
    w = gate(s m + b),  m = GAP(z - mu),

where m, A and B have the shape (N, C). What leads from m, s and b to A and B is as
small, and torch differentiates it: see :func:`_factors`.

The two functions :func:`_forward` and :func:`_backward` are the definition. On the CPU
they run as they are. On CUDA torch.compile makes kernels of them: forward, one that
reads z for its means, and one that reads z and the shortcut and writes y; backward, one
for the sums and one for the gradient; and between them some on (N, C).
"""

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import is_autocast_available
from torch.compiler import is_compiling
from torch.func import functional_call, vjp

Out = Tensor | None  # where to write a map, if it is of the type that it is computed in
COMPILED_ON = ['cuda']  # types of devices; emptied by a failure
_CACHED = 2**20  # numbers, 4 MiB in float32


def can_fuse_norm(norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`fused_norm_gate_add_relu` can run this norm.

    Args:
        norm (nn.Module): Any norm.
        x (Tensor): Its input, shape (N, C, H, W).
    """
    if type(norm) is not nn.BatchNorm2d or x.dim() != 4:
        return False
    if is_compiling() or torch.jit.is_tracing():  # which fuse layers by themselves
        return False
    if norm.training:  # of one value a channel torch says what is wrong
        return x.numel() > x.shape[1]
    return norm.running_var is not None


def fused_norm_gate_add_relu(
    x: Tensor,
    norm: nn.BatchNorm2d,
    layer: nn.Module | None,
    weights: Sequence[Tensor],
    identity: Tensor,
) -> Tensor:
    """``relu(identity + gate(GAP(norm(x))) * norm(x))``, on either kind of statistics.

    Args:
        x (Tensor): Input of the norm, shape (N, C, H, W), in either memory format.
        norm (nn.BatchNorm2d): In training mode its running statistics are updated.
        layer (nn.Module, optional): Its ``gate`` maps means (N, C) to weights of the
            channels (N, C). None for one that adds.
        weights (Sequence[Tensor]): The parameters of ``layer``, in its order; without
            a layer the summand, shape (N, C): ``relu(identity + norm(x) + summand)``.
        identity (Tensor): The shortcut, shape (N, C, H, W).

    Returns:
        Tensor: Shape (N, C, H, W), in the data type of ``x``.

    Raises:
        RuntimeError: If the gradient is differentiated again.
    """
    settings = (
        None if layer is None else _Gate(layer),
        norm.training,
        norm.eps,
        _momentum(norm) if norm.training else None,
    )
    buffers = (norm.running_mean, norm.running_var)
    inputs = (x, identity, norm.weight, norm.bias, *weights)
    if torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in inputs
    ):
        out: Tensor = _NormGateAddReLU.apply(settings, buffers, *inputs)
        return out
    return _run(_forward, settings, buffers, *inputs)[0]


class _Gate(nn.Module):
    """A layer's gate as a module, which ``functional_call`` wants."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer

    def forward(self, pooled: Tensor) -> Tensor:
        gate: Tensor = self.layer.gate(pooled)
        return gate


def _momentum(norm: nn.BatchNorm2d) -> float | Tensor:
    """The share of the new statistics, of which the norm counts one batch more."""
    if norm.num_batches_tracked is None:
        return 0.0
    norm.num_batches_tracked.add_(1)
    if norm.momentum is None:  # the mean of all batches
        return 1.0 / norm.num_batches_tracked.double()
    return norm.momentum


class _NormGateAddReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, settings: tuple, buffers: tuple, *inputs: Any) -> Tensor:
        y, *statistics = _run(_forward, settings, buffers, *inputs)
        x, _, *weights = inputs
        ctx.settings = settings
        ctx.save_for_backward(y, x, *statistics, *weights)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the residual tail of attention and a norm has no second '
                'derivatives; build the backbone with folded=False for them'
            )
        return None, None, *_run(_backward, ctx.settings, grad, *ctx.saved_tensors)


def _factors(
    gate: _Gate | None, m: Tensor, scale: Tensor, shift: Tensor, *weights: Tensor
) -> tuple[Tensor, Tensor]:
    """A and B, shape (N, C), of m (N, C), s and b (C,) and the layer's weights."""
    if gate is None:
        (summand,) = weights
        return scale.expand_as(m), shift + summand.to(m.dtype)
    names = (name for name, _ in gate.named_parameters())
    own = {name: weight.to(m.dtype) for name, weight in zip(names, weights)}
    w = functional_call(gate, own, (scale * m + shift,))
    return w * scale, w * shift


def _forward(settings: tuple, buffers: tuple, *inputs: Any) -> tuple[Tensor, ...]:
    """Returns y, and what the backward pass needs: m, mu and var."""
    gate, on_batch, eps, momentum = settings
    z, identity, weight, bias, *weights = inputs
    dtype = torch.promote_types(z.dtype, torch.float32)
    if on_batch:
        mean, m, variance = _statistics(z, dtype)
        number = z[:, 0].numel()
        unbiased = variance * (number / (number - 1))
        for buffer, value in zip(buffers, (mean, unbiased)):
            if buffer is not None:
                buffer.copy_(buffer + momentum * (value - buffer))
    else:
        mean, variance = (buffer.to(dtype) for buffer in buffers)
        m = z.sum((2, 3), dtype=dtype) / z[0, 0].numel() - mean
    scale, shift = _affine(variance, eps, weight, bias)
    a, b = _factors(gate, m, scale, shift, *weights)

    def end(to: Out, z: Tensor, identity: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return _multiply_add(_map(b), _map(a), z, to).add_(identity).relu_()

    return _in_parts(end, z, identity, a, b - a * mean), m, mean, variance


def _affine(
    variance: Tensor, eps: float, weight: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The norm's s and b, shape (C,)."""
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    return scale, torch.zeros_like(scale) if bias is None else bias.to(scale.dtype)


def _backward(settings: tuple, *saved: Any) -> tuple[Tensor | None, ...]:
    """Returns the gradients of z, the shortcut, gamma, beta and the layer's weights."""
    gate, on_batch, eps, _ = settings
    grad, y, z, m, mean, variance, weight, bias, *weights = saved
    # Before the ReLU, and so of the shortcut: g = dy where y > 0. Of the factors:
    # dB = sum g and dA = sum g (z - mu) over the positions, in float32 at least.
    sums, products = [], []

    def rectify(to: Out, z: Tensor, y: Tensor, grad: Tensor) -> Tensor:
        out = {} if to is None else dict(grad_input=to)
        g: Tensor = torch.ops.aten.threshold_backward(grad, y, 0, **out)
        sums.append(g.sum((2, 3), dtype=m.dtype))
        products.append((z - _map(mean)).mul_(g).sum((2, 3)))
        return g

    g = _in_parts(rectify, z, y, grad)
    scale, shift = _affine(variance, eps, weight, bias)
    factors = functools.partial(_factors, gate)
    of_factors: Any = vjp(factors, m, scale, shift, *weights)
    (a, _), back = of_factors
    d_m, d_scale, d_shift, *d_weights = back((torch.cat(products), torch.cat(sums)))
    # s = gamma r, so that d gamma = r ds, and b = beta.
    r = (variance + eps).rsqrt()
    # z is in the product A (z - mu) and, through m, in A and B: dm / HW.
    constant = d_m / z[0, 0].numel()
    slope = None
    if on_batch:
        # It is also in mu = mean(z) and in var = mean((z - mu)^2), means over M values.
        # The norm's output is s (z - mu) + b, in which mu is a part of b: d mu = -s db.
        # ds / d var = -s r^2 / 2 and d var / dz = 2 (z - mu) / M, which makes of ds
        # -s r^2 ds / M (z - mu).
        number = z[:, 0].numel()
        slope = -scale * r * r * d_scale / number
        constant = constant - scale * d_shift / number - slope * mean

    def affine(to: Out, z: Tensor, g: Tensor, a: Tensor, constant: Tensor) -> Tensor:
        out = _multiply_add(_map(constant), _map(a), g, to)
        return out if slope is None else _multiply_add(out, _map(slope), z, out)

    grad_z = _in_parts(affine, z, g, a, constant)
    return (
        grad_z,
        g,
        None if weight is None else d_scale * r,
        None if bias is None else d_shift,
        *d_weights,
    )


def _multiply_add(b: Tensor, a: Tensor, x: Tensor, out: Out) -> Tensor:
    """``b + a x``."""
    return b + a * x if is_compiling() else torch.addcmul(b, a, x, out=out)


def _map(values: Tensor) -> Tensor:
    """Values (N, C) or (C,) as factors of maps (N, C, H, W)."""
    return values[..., None, None]


def _statistics(z: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """The batch's mean (C,), what is above it in each image (N, C), variance (C,)."""
    if is_compiling() or z.device.type != 'cpu':
        variances, means = torch.var_mean(z.to(dtype), (2, 3), correction=0)
        rest = None
    else:  # where var_mean takes ten times as long
        moments = [_moments(part, dtype) for (part,) in _parts(z)]
        variances, means, rest = (torch.cat(of) for of in zip(*moments))
    mean = means.mean(0)
    m = means - mean
    if rest is not None:
        m = m + rest
    # With v_n the variance in image n, that of the batch is the mean of v_n + m_n^2.
    return mean, m, (variances + m * m).mean(0)


def _moments(z: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Variances, means and what the means lack by rounding, (N, C)."""
    means = z.mean((2, 3), dtype=dtype)
    centred = z - _map(means)
    rest = centred.mean((2, 3))
    return centred.mul_(centred).mean((2, 3)), means, rest


def _in_parts(function: Callable[..., Tensor], *maps: Tensor) -> Tensor:
    """``function(*maps)``, a map, in the data type of the first.

    On the CPU part by part of the batch, so that the memory is read once.
    """
    if is_compiling() or maps[0].device.type != 'cpu':
        return function(None, *maps).to(maps[0].dtype)
    out = torch.empty_like(maps[0])
    is_own = out.dtype == maps[-1].dtype  # which the function computes in
    for to, *of in _parts(out, *maps):
        result = function(to if is_own else None, *of)
        if not is_own:
            to.copy_(result)
    return out


def _parts(*maps: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Splits a batch into parts that fit into the cache."""
    images = max(1, _CACHED // max(1, maps[0][:1].numel()))
    return zip(*(m.split(images) for m in maps))


def _run(function: Callable, settings: tuple, *inputs: Any) -> tuple:
    """``function(settings, *inputs)``, in one of its two forms, without autocast."""
    z = next(t for t in inputs if isinstance(t, Tensor))
    kind = z.device.type
    with torch.autocast(kind if is_autocast_available(kind) else 'cpu', enabled=False):
        if kind in COMPILED_ON:
            gate = settings[0]
            shapes = () if gate is None else tuple(p.shape for p in gate.parameters())
            try:
                detached = (t.detach() if isinstance(t, Tensor) else t for t in inputs)
                return _compiled(function, shapes)(settings, *detached)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                COMPILED_ON.clear()
                warnings.warn(
                    'torch.compile fails here, so that the ends of the residual blocks '
                    f'run operation by operation, which takes longer: {error!r}',
                    stacklevel=1,
                )
        return function(settings, *inputs)


@functools.cache
def _compiled(function: Callable, shapes: tuple) -> Callable:
    """The function, compiled for any size of maps.

    torch.compile counts how often it compiles by the code, and gives up after eight;
    so each layer whose weights have other shapes gets a code of its own.
    """
    own = FunctionType(function.__code__.replace(), function.__globals__)
    return torch.compile(own, dynamic=True, fullgraph=True)
