"""The end of a block from its last norm on, beside its steps."""

import copy
import sys
from functools import partial

import pytest
import torch
from torch import nn

from mmdet_eca import (
    ECALayer,
    ECANonShared,
    GatherExcite,
    SEGroup,
    SEVar1,
    SEVar2,
    SEVar3,
    SqueezeExcitation,
)
from mmdet_eca.ops import can_fuse_norm, fused_norm_gate_add_relu
from tests.conftest import every_amp
from tests.ops.test_gate_add_relu import LAYOUTS, layouts

pytestmark = pytest.mark.usefixtures('device')
MODULE = sys.modules[fused_norm_gate_add_relu.__module__]
on_both_statistics = pytest.mark.parametrize(
    'training', [True, False], ids=['batch', 'stored']
)
KINDS = [
    ECALayer,
    ECANonShared,
    partial(SqueezeExcitation, ratio=4),
    SEVar1,
    SEVar2,
    SEVar3,
    partial(SEGroup, groups=2),
    GatherExcite,
]
SHAPES = [(3, 8, 5, 7), (1, 8, 3, 2), (5, 8, 1, 1)]


def tail(norm, attention, x, identity):
    weights = [*attention.parameters()]
    return fused_norm_gate_add_relu(x, norm, attention, weights, identity)


def step_by_step(norm, attention, x, identity):
    return (identity + attention(norm(x))).relu()


def norm_and_attention(
    kind=ECALayer, dtype=torch.float64, channels=8, training=True, **arguments
):
    norm = nn.BatchNorm2d(channels, **arguments).to(dtype).train(training)
    if not training:
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 1)
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
            torch.testing.assert_close(value, formula, rtol=1e-10, atol=1e-12)
    return found


@layouts
@on_both_statistics
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shape', SHAPES)
def test_output_gradients_and_statistics(shape, kind, training, layout):
    modules = norm_and_attention(kind, training=training)
    found = assert_same(modules, maps(shape, layout, shift=3.0), maps(shape, layout))
    assert found[0].is_contiguous(memory_format=layout)


@on_both_statistics
@layouts
def test_gradients_are_those_of_differences(training, layout):
    modules = norm_and_attention(channels=3, training=training)
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
        dict(training=False, affine=False),
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
    monkeypatch.setattr(MODULE, '_CACHED', 2 * 8 * 5 * 7)
    shape = (5, 8, 5, 7)
    assert_same(norm_and_attention(), maps(shape, layout), maps(shape, layout))


@on_both_statistics
@layouts
def test_what_is_added_has_a_gradient(training, layout):
    norm, _ = norm_and_attention(training=training)
    x, identity = maps(SHAPES[0], layout), maps(SHAPES[0], layout)
    summand = torch.randn(SHAPES[0][:2], dtype=x.dtype, requires_grad=True)
    learning = [x, identity, summand, *norm.parameters()]
    outs = (
        fused_norm_gate_add_relu(x, norm, None, [summand], identity),
        (identity + norm(x) + summand[:, :, None, None]).relu(),
    )
    torch.testing.assert_close(*outs, rtol=1e-12, atol=1e-12)
    grad = torch.randn_like(x)
    grads = [torch.autograd.grad(out, learning, grad) for out in outs]
    torch.testing.assert_close(*grads, rtol=1e-10, atol=1e-12)


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
        (nn.BatchNorm2d(8).eval(), (2, 8, 3, 3), True),
        (nn.BatchNorm2d(8), (1, 8, 1, 1), False),  # torch's error: one value a channel
        (nn.BatchNorm2d(8), (0, 8, 3, 3), False),
        (nn.SyncBatchNorm(8), (2, 8, 3, 3), False),
        (nn.GroupNorm(2, 8), (2, 8, 3, 3), False),
    ],
)
def test_other_norms_run_step_by_step(norm, shape, uses):
    assert can_fuse_norm(norm, torch.empty(shape)) == uses


@on_both_statistics
@every_amp
def test_half_precision_is_as_exact_as_its_steps(dtype, training, device):
    """Beside float64, of maps whose mean is ten times their deviation, and a gradient
    with a mean: the sums of the norm's weight nearly cancel out."""
    modules = norm_and_attention(dtype=torch.float32, channels=16, training=training)
    shape = (4, 16, 16, 16)
    x = maps(shape, dtype=torch.float32, shift=10.0).detach().to(dtype)
    identity = maps(shape, dtype=torch.float32).detach().to(dtype)
    identity += 40 * (torch.rand(shape) > 0.3) - 20  # far from where ReLU decides
    grad = (torch.randn(shape) + 0.5).to(dtype)
    inputs = [t.requires_grad_() for t in (x, identity)]
    truth = outcome(
        step_by_step,
        [copy.deepcopy(m).double() for m in modules],
        *(t.detach().double().requires_grad_() for t in inputs),
        grad.double(),
    )
    with torch.autocast(device.type, dtype):
        ours, steps = (
            outcome(form, modules, *inputs, grad) for form in (tail, step_by_step)
        )
    for value, other, true in zip(ours, steps, truth):
        if value.is_floating_point() and value.dim() > 0:
            error, allowed = ((t.double() - true).norm() for t in (value, other))
            assert error <= 1.1 * allowed + 1e-3 * torch.finfo(dtype).eps * true.norm()


@pytest.fixture
def compiled(monkeypatch):
    """Has the operation compiled on the CPU, too; returns how often it was."""
    graphs = []
    compile_ = torch.compile

    def recorded(function, backend='inductor', **options):
        graphs.append(function)
        return compile_(function, backend=backend, **options)

    torch.compiler.reset()
    MODULE._compiled.cache_clear()
    monkeypatch.setattr(MODULE, 'COMPILED_ON', ['cpu', 'cuda'])
    monkeypatch.setattr(torch, 'compile', recorded)
    yield recorded, graphs
    MODULE._compiled.cache_clear()


@on_both_statistics
@pytest.mark.parametrize('kind', KINDS)
def test_every_gate_compiles_to_one_graph(kind, training, compiled, monkeypatch):
    """Whose operators torch runs: what inductor makes of them, the next test shows."""
    recorded, graphs = compiled
    monkeypatch.setattr(torch, 'compile', partial(recorded, backend='aot_eager'))
    modules = norm_and_attention(kind, training=training)
    for shape in SHAPES[:1]:
        assert_same(modules, maps(shape), maps(shape))
    assert len(graphs) == 2  # forward and backward


@on_both_statistics
def test_inductors_kernels_take_any_size(training, compiled):
    try:
        torch.compile(lambda x: x + 1)(torch.ones(3))
    except Exception as error:
        pytest.skip(f'torch.compile does not run here: {str(error).splitlines()[0]}')
    modules, layout = norm_and_attention(training=training), LAYOUTS[training]
    for shape, stance in (
        ((2, 8, 6, 5), 'default'),
        ((2, 8, 7, 4), 'fail_on_recompile'),
        ((5, 8, 33, 17), 'fail_on_recompile'),
    ):
        with torch.compiler.set_stance(stance):
            assert_same(modules, maps(shape, layout, shift=3.0), maps(shape, layout))


def test_where_nothing_compiles_it_runs_by_operations(compiled, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError('no compiler is found')

    monkeypatch.setattr(torch, 'compile', fail)
    modules = norm_and_attention()
    with pytest.warns(UserWarning, match='no compiler is found') as warned:
        assert_same(modules, maps(SHAPES[0]), maps(SHAPES[0]))
    assert_same(modules, maps(SHAPES[0]), maps(SHAPES[0]))
    assert len(warned) == 1
