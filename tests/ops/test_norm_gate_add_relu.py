"""The tail of a block whose norm runs on the batch's statistics, beside its steps."""

import copy
import sys
from functools import partial

import pytest
import torch
from torch import nn

from mmdet_eca import ECALayer, SqueezeExcitation
from mmdet_eca.ops import fused_norm_gate_add_relu, uses_batch_statistics
from tests.conftest import every_amp
from tests.ops.test_gate_add_relu import LAYOUTS, layouts

pytestmark = pytest.mark.usefixtures('device')
SHAPES = [(3, 8, 5, 7), (1, 8, 3, 2), (5, 8, 1, 1)]


def tail(norm, attention, x, identity):
    weights = [*attention.parameters()]
    return fused_norm_gate_add_relu(x, norm, attention.gate, weights, identity)


def step_by_step(norm, attention, x, identity):
    return (identity + attention(norm(x))).relu()


def norm_and_attention(kind=ECALayer, dtype=torch.float64, channels=8, **arguments):
    norm = nn.BatchNorm2d(channels, **arguments).to(dtype)
    if norm.affine:
        nn.init.uniform_(norm.weight, 0.5, 1)
        nn.init.uniform_(norm.bias, -0.2, 0.2)
    return norm, kind(channels).to(dtype)


def maps(shape, layout=torch.contiguous_format, dtype=torch.float64, shift=0.0):
    one = torch.randn(shape, dtype=dtype).contiguous(memory_format=layout)
    return (one + shift).requires_grad_()


def outcome(form, modules, x, identity, grad):
    """Output, gradients of all that learns, and the norm's statistics after it."""
    modules = copy.deepcopy(modules)
    inputs = [t.detach().clone().requires_grad_(t.requires_grad) for t in (x, identity)]
    out = form(*modules, *inputs)
    out.backward(grad)
    learning = [*inputs, *modules[0].parameters(), *modules[1].parameters()]
    return [out.detach(), *(t.grad for t in learning), *modules[0].buffers()]


def assert_same(modules, x, identity):
    grad = torch.randn_like(x)
    found, expected = (
        outcome(form, modules, x, identity, grad) for form in (tail, step_by_step)
    )
    for value, formula in zip(found, expected):
        assert (value is None) == (formula is None)
        if value is not None:
            torch.testing.assert_close(value, formula, rtol=1e-11, atol=1e-12)
    return found


@layouts
@pytest.mark.parametrize('kind', [ECALayer, partial(SqueezeExcitation, ratio=4)])
@pytest.mark.parametrize('shape', SHAPES)
def test_output_gradients_and_statistics(shape, kind, layout):
    modules = norm_and_attention(kind)
    found = assert_same(modules, maps(shape, layout, shift=3.0), maps(shape, layout))
    assert found[0].is_contiguous(memory_format=layout)


@layouts
def test_gradients_are_those_of_differences(layout):
    modules = norm_and_attention(channels=3)
    x, identity = maps((2, 3, 2, 3), layout), maps((2, 3, 2, 3), layout)
    learning = [x, identity, *modules[0].parameters(), *modules[1].parameters()]
    assert torch.autograd.gradcheck(
        lambda *_: tail(*modules, x, identity), learning, fast_mode=False
    )


@pytest.mark.parametrize(
    'arguments',
    [
        dict(affine=False),
        dict(momentum=None),
        dict(momentum=0.3, eps=0.1),
        dict(track_running_stats=False),
    ],
    ids=str,
)
def test_every_norm(arguments):
    modules = norm_and_attention(**arguments)
    for _ in range(3):  # the mean of all batches' statistics, for momentum=None
        assert_same(modules, maps(SHAPES[0]), maps(SHAPES[0]))
        tail(*modules, maps(SHAPES[0]), maps(SHAPES[0]))


@pytest.mark.parametrize('frozen', ['x', 'identity', 'norm', 'attention', 'bias'])
def test_only_what_learns_gets_a_gradient(frozen):
    modules = norm_and_attention()
    inputs = dict(x=maps(SHAPES[0]), identity=maps(SHAPES[0]))
    if frozen in inputs:
        inputs[frozen].requires_grad_(False)
    elif frozen == 'bias':
        modules[0].bias.requires_grad_(False)
    else:
        modules[frozen == 'attention'].requires_grad_(False)
    found = assert_same(modules, **inputs)
    assert any(value is None for value in found)


def test_without_gradients():
    modules = norm_and_attention()
    x, identity = maps(SHAPES[0]), maps(SHAPES[0])
    with torch.no_grad():
        found = tail(*copy.deepcopy(modules), x, identity)
        torch.testing.assert_close(found, step_by_step(*modules, x, identity))


@layouts
def test_layouts_may_be_mixed(layout):
    other = LAYOUTS[layout == LAYOUTS[0]]
    assert_same(norm_and_attention(), maps(SHAPES[0], layout), maps(SHAPES[0], other))


@layouts
def test_more_images_than_are_multiplied_at_a_time(layout, monkeypatch):
    module = sys.modules[fused_norm_gate_add_relu.__module__]
    monkeypatch.setattr(module, '_CACHED', 2 * 8 * 5 * 7)
    shape = (5, 8, 5, 7)
    assert_same(norm_and_attention(), maps(shape, layout), maps(shape, layout))


@layouts
def test_float32_is_as_exact_as_its_steps(layout):
    """Both beside float64; the maps' mean is 30 times their deviation."""
    modules = norm_and_attention(dtype=torch.float32, channels=64)
    shape = (4, 64, 28, 28)
    x = maps(shape, layout, torch.float32, shift=30.0)
    identity = maps(shape, layout, torch.float32)
    # Rounding must not decide whether ReLU lets a gradient pass.
    with torch.no_grad():
        identity += step_by_step(*copy.deepcopy(modules), x, identity).sign() - 0.5
    grad = torch.randn_like(x)
    truth = outcome(
        step_by_step,
        [copy.deepcopy(m).double() for m in modules],
        x.double(),
        identity.double(),
        grad.double(),
    )

    def errors(form):
        found = outcome(form, modules, x, identity, grad)
        return [
            ((value - true).norm() / true.norm()).item()
            for value, true in zip(found, truth)
            if value.is_floating_point()
        ]

    for ours, steps in zip(errors(tail), errors(step_by_step)):
        assert ours <= 3 * steps + 1e-6


@layouts
@every_amp
def test_autocast(dtype, layout, device):
    modules = norm_and_attention(dtype=torch.float32, channels=16)
    shape = (4, 16, 8, 8)
    x, identity = (maps(shape, layout, torch.float32) for _ in range(2))
    grad = torch.randn_like(x).to(dtype)
    with torch.autocast(device.type, dtype), torch.no_grad():
        before = identity + modules[1](copy.deepcopy(modules[0])(x))
        identity += before.sign()  # as above
    found, expected = [], []
    for form, values in ((tail, found), (step_by_step, expected)):
        inputs = [t.detach().to(dtype).requires_grad_() for t in (x, identity)]
        own = copy.deepcopy(modules)
        with torch.autocast(device.type, dtype):
            out = form(*own, *inputs)
        assert out.dtype == dtype
        out.backward(grad)
        values += [out, *(t.grad for t in inputs)]
        values += [p.grad for m in own for p in m.parameters()]
    for value, want in zip(found, expected):
        assert value.dtype == want.dtype
        error = (value.float() - want.float()).norm()
        assert error < 8 * torch.finfo(dtype).eps * want.float().norm()


@layouts
def test_keeps_what_the_plain_tail_keeps(layout):
    """Of maps, the norm's input and the output; the rest is a vector an image."""
    modules = norm_and_attention(dtype=torch.float32)
    x, identity = (maps((2, 8, 64, 64), layout, torch.float32) for _ in range(2))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t) or t, lambda t: t
    ):
        out = tail(*modules, x, identity)
    large = {t.data_ptr() for t in saved if t.numel() > 1000}
    assert large == {x.data_ptr(), out.data_ptr()}


def test_gradients_may_be_computed_twice():
    modules = norm_and_attention()
    x, identity = maps(SHAPES[0]), maps(SHAPES[0])
    out = tail(*modules, x, identity).sum()
    first, second = (
        torch.autograd.grad(out, [x, identity], retain_graph=True) for _ in range(2)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_second_derivatives_are_refused():
    x, identity = maps(SHAPES[0]), maps(SHAPES[0])
    out = tail(*norm_and_attention(), x, identity).sum()
    with pytest.raises(RuntimeError, match='no second deriv.*folded=False'):
        torch.autograd.grad(out, [x, identity], create_graph=True)


@pytest.mark.parametrize(
    ('norm', 'shape', 'uses'),
    [
        (nn.BatchNorm2d(8), (2, 8, 3, 3), True),
        (nn.BatchNorm2d(8).eval(), (2, 8, 3, 3), False),
        (nn.BatchNorm2d(8), (1, 8, 1, 1), False),  # torch's error: one value a channel
        (nn.BatchNorm2d(8), (0, 8, 3, 3), False),
        (nn.SyncBatchNorm(8), (2, 8, 3, 3), False),
        (nn.GroupNorm(2, 8), (2, 8, 3, 3), False),
    ],
)
def test_other_norms_run_step_by_step(norm, shape, uses):
    assert uses_batch_statistics(norm, torch.empty(shape)) == uses
