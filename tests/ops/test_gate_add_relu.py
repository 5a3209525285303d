import pytest
import torch

from mmdet_eca.ops import fused_gate_add_relu
from tests.conftest import every_amp

pytestmark = pytest.mark.usefixtures('device')

LAYOUTS = [torch.contiguous_format, torch.channels_last]
layouts = pytest.mark.parametrize(
    'layout', LAYOUTS, ids=['channels_first', 'channels_last']
)


def step_by_step(*inputs):
    return before_relu(*inputs).relu()


def before_relu(x, weight, bias, gate, identity):
    out = torch.einsum('ck,nkhw->nchw', weight, x) + bias[:, None, None]
    return identity + gate[:, :, None, None] * out


def operands(
    n=2,
    k=3,
    c=5,
    h=4,
    w=3,
    layout=torch.contiguous_format,
    dtype=torch.float64,
    requires_grad=True,
):
    x = torch.randn(n, k, h, w, dtype=dtype).contiguous(memory_format=layout)
    identity = torch.randn(n, c, h, w, dtype=dtype).contiguous(memory_format=layout)
    tensors = [
        x,
        torch.randn(c, k, dtype=dtype),
        torch.randn(c, dtype=dtype),
        torch.rand(n, c, dtype=dtype),
        identity,
    ]
    return [t.requires_grad_(requires_grad) for t in tensors]


@layouts
@pytest.mark.parametrize(
    'shape', [(1, 3, 5, 4, 3), (4, 2, 8, 7, 1), (3, 8, 2, 1, 1), (2, 1, 4, 3, 5)]
)
@pytest.mark.parametrize('requires_grad', [False, True])
def test_output_is_that_of_the_formula(shape, layout, requires_grad):
    inputs = operands(*shape, layout=layout, requires_grad=requires_grad)
    out = fused_gate_add_relu(*inputs)
    torch.testing.assert_close(out, step_by_step(*inputs), rtol=1e-12, atol=1e-14)
    assert out.is_contiguous(memory_format=layout)
    assert out.requires_grad == requires_grad


@layouts
@pytest.mark.parametrize('n', [1, 3])
def test_gradients_in_float64(n, layout):
    inputs = operands(n, layout=layout)
    assert torch.autograd.gradcheck(fused_gate_add_relu, inputs)


@layouts
@pytest.mark.parametrize('learning', [(0,), (1,), (2,), (3,), (4,), (3, 4), (0, 2)])
def test_only_what_learns_gets_a_gradient(learning, layout):
    inputs = operands(layout=layout, requires_grad=False)
    for index in learning:
        inputs[index].requires_grad_()
    fused_gate_add_relu(*inputs).square().sum().backward()
    grads = [t.grad for t in inputs]
    for t in inputs:
        t.grad = None
    step_by_step(*inputs).square().sum().backward()
    for index, (grad, t) in enumerate(zip(grads, inputs)):
        assert (grad is not None) == (index in learning)
        if index in learning:
            torch.testing.assert_close(grad, t.grad)


@layouts
def test_layouts_may_be_mixed(layout):
    inputs = operands(layout=layout)
    other = LAYOUTS[layout == LAYOUTS[0]]
    mixed = [*inputs[:4], inputs[4].contiguous(memory_format=other)]
    torch.testing.assert_close(fused_gate_add_relu(*mixed), step_by_step(*inputs))


@layouts
@every_amp
@pytest.mark.parametrize('cast', [False, True])
def test_autocast(cast, dtype, layout, device):
    """Of an input that an operation before has cast, and of one that is left.
    Every device rounds the output and the gradients to the data type, and sums in
    float32: the tolerances are some units of that type on all."""
    inputs = operands(2, 16, 32, 8, 8, layout, torch.float32)
    with torch.no_grad():
        # Rounding must not decide whether ReLU lets a gradient pass.
        inputs[4] += before_relu(*inputs).sign()
    expected = step_by_step(*inputs)
    with torch.autocast(device.type, dtype):
        x = inputs[0].to(dtype) if cast else inputs[0]
        out = fused_gate_add_relu(x, *inputs[1:])
    assert out.dtype == dtype
    assert (out - expected).norm() < 4 * torch.finfo(dtype).eps * expected.norm()
    out.float().sum().backward()
    grads = [t.grad for t in inputs]
    assert all(g.dtype == torch.float32 for g in grads)
    wanted = torch.autograd.grad(expected.sum(), inputs)
    for grad, want in zip(grads, wanted):
        assert (grad - want).norm() < 16 * torch.finfo(dtype).eps * want.norm()


@layouts
def test_keeps_its_inputs_and_output_and_nothing_else(layout):
    """Of the shortcut, which is as large as the output, not a thing."""
    inputs = operands(2, 8, 32, 16, 16, layout)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda t: t):
        out = fused_gate_add_relu(*inputs)
    addresses = [t.data_ptr() for t in inputs[:4]] + [out.data_ptr()]
    assert [t.data_ptr() for t in saved] == addresses


def test_second_derivatives_are_refused():
    inputs = operands()
    out = fused_gate_add_relu(*inputs).sum()
    with pytest.raises(RuntimeError, match='no second deriv.*folded=False'):
        torch.autograd.grad(out, inputs, create_graph=True)


@layouts
def test_compiles_to_one_graph(layout):
    torch.compiler.reset()
    inputs = operands(layout=layout)
    compiled = torch.compile(fused_gate_add_relu, fullgraph=True, backend='aot_eager')
    grads = torch.autograd.grad(compiled(*inputs).square().sum(), inputs)
    expected = torch.autograd.grad(step_by_step(*inputs).square().sum(), inputs)
    torch.testing.assert_close(grads, expected)


@layouts
@pytest.mark.parametrize('learning', [(0, 1, 2, 3, 4), (1,), (3,)])
def test_an_empty_batch_has_gradients_of_zero(learning, layout):
    inputs = operands(0, layout=layout, requires_grad=False)
    for index in learning:
        inputs[index].requires_grad_()
    out = fused_gate_add_relu(*inputs)
    assert out.shape == (0, 5, 4, 3) and out.requires_grad
    out.sum().backward()
    for index in learning:
        assert inputs[index].grad.shape == inputs[index].shape
        assert inputs[index].grad.eq(0).all()
