"""The attention systems of ECA-Net's Table 3 against their formulas in numpy."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import UserError
from mmdet_eca.models.attention.augmented_conv import AugmentedConv2d
from mmdet_eca.models.attention.cbam import CBAM
from mmdet_eca.models.attention.double_attention import DoubleAttention
from mmdet_eca.models.attention.gather_excite import GatherExcite
from mmdet_eca.models.attention.global_context import GlobalContext
from mmdet_eca.models.attention.gsop import GSoP
from mmdet_eca.models.attention.scse import SCSE

N, C, H, W = 2, 32, 9, 7


def random_layer(layer):
    """The layer in float64 and evaluation mode with random weights and statistics,
    and its weights as arrays."""
    layer = layer.double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.3)
        for module in layer.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2)
    arrays = {name: value.numpy() for name, value in layer.state_dict().items()}
    return layer, arrays


def images(*shape):
    return torch.randn(shape, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def norm(w, name, x, eps=1e-5):
    """A batch norm on stored statistics of x (C, ...)."""
    shape = (-1,) + (1,) * (x.ndim - 1)
    mean, var, weight, bias = (
        w[f'{name}.{part}'].reshape(shape)
        for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def conv(x, kernel, stride=1, padding=0, depthwise=False):
    """A convolution of x (C, H, W), sum by sum."""
    out_channels, _, kh, kw = kernel.shape
    x = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2))
    h, w = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    out = np.zeros((out_channels, h, w))
    for i in range(h):
        for j in range(w):
            patch = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            if depthwise:
                out[:, i, j] = (kernel[:, 0] * patch).sum((1, 2))
            else:
                out[:, i, j] = np.tensordot(kernel, patch, 3)
    return out


def pointwise(w, name, x):
    """A 1x1 convolution of x (C, ...), with its bias if there is one."""
    kernel = w[f'{name}.weight']
    out = np.tensordot(kernel.reshape(kernel.shape[:2]), x, 1)
    bias = w.get(f'{name}.bias')
    return out if bias is None else out + bias.reshape((-1,) + (1,) * (x.ndim - 1))


def compare(layer, formula, x=None):
    x = images(N, C, H, W) if x is None else x
    layer, arrays = random_layer(layer)
    expected = np.stack([formula(arrays, image) for image in x.numpy()])
    with torch.no_grad():
        np.testing.assert_allclose(layer(x).numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize('bias', [True, False])
def test_cbam(bias):
    def formula(w, x):
        def mlp(v):
            return pointwise(w, 'fc2', relu(pointwise(w, 'fc1', v)))

        x = x * sigmoid(mlp(x.mean((1, 2))) + mlp(x.max((1, 2))))[:, None, None]
        maps = np.stack([x.max(0), x.mean(0)])
        return x * sigmoid(norm(w, 'bn', conv(maps, w['conv.weight'], padding=3)))

    compare(CBAM(C, ratio=4, bias=bias), formula)


@pytest.mark.parametrize(
    ('combine', 'together'), [('max', np.maximum), ('add', np.add)]
)
def test_scse(combine, together):
    def formula(w, x):
        hidden = relu(pointwise(w, 'fc1', x.mean((1, 2))))
        channel = sigmoid(pointwise(w, 'fc2', hidden))[:, None, None]
        return together(channel * x, sigmoid(pointwise(w, 'conv', x)) * x)

    compare(SCSE(C, combine=combine), formula)


def test_global_context():
    def formula(w, x):
        x = x.reshape(C, -1)
        share = softmax(pointwise(w, 'conv_mask', x), 1)[0]
        hidden = pointwise(w, 'channel_add_conv.0', (x * share).sum(1))
        hidden = (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-5)
        hidden = hidden * w['channel_add_conv.1.weight'].ravel()
        hidden = relu(hidden + w['channel_add_conv.1.bias'].ravel())
        added = pointwise(w, 'channel_add_conv.3', hidden)
        return (x + added[:, None]).reshape(C, H, W)

    compare(GlobalContext(C, ratio=4), formula)


def test_global_context_is_mmcvs_context_block():
    from mmcv.cnn.bricks import ContextBlock

    layer, _ = random_layer(GlobalContext(C, ratio=4))
    theirs = ContextBlock(C, ratio=1 / 4).double()
    theirs.load_state_dict(layer.state_dict())
    x = images(N, C, H, W)
    assert torch.allclose(layer(x), theirs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize('stride', [1, 2])
def test_gsop(stride):
    def formula(w, x):
        z = pointwise(w, 'conv', relu(x)[:, ::stride, ::stride])
        z = relu(norm(w, 'bn', z)).reshape(8, -1)
        covariance = np.cov(z, bias=True)
        rows = norm(w, 'row_bn', covariance)
        kernels = w['row_conv.weight'].reshape(8, 4, 8)  # row, filter, column
        hidden = np.einsum('rfc,rc->rf', kernels, rows).ravel() + w['row_conv.bias']
        return x * sigmoid(pointwise(w, 'fc', hidden))[:, None, None]

    compare(GSoP(C, width=8, stride=stride), formula)


def upsample(gate):
    """To (H, W): every position has the value of the cell that it lies in."""
    h, w = gate.shape[1:]
    rows, columns = np.arange(H) * h // H, np.arange(W) * w // W
    return gate[:, rows[:, None], columns]


@pytest.mark.parametrize('extent', [None, 2, 4, 8])
def test_ge_theta_minus(extent):
    def formula(w, x):
        if extent is None:
            return x * sigmoid(x.mean((1, 2), keepdims=True))
        gate = np.array(
            [
                [
                    x[
                        :,
                        max(i - extent + 1, 0) : i + extent,
                        max(j - extent + 1, 0) : j + extent,
                    ].mean((1, 2))
                    for j in range(0, W, extent)
                ]
                for i in range(0, H, extent)
            ]
        ).transpose(2, 0, 1)
        return x * sigmoid(upsample(gate))

    compare(GatherExcite(C, 'theta-', extent), formula)


def gather(w, x, extent):
    if extent is None:
        kernel = w['gather.0.weight']
        return norm(w, 'gather.1', conv(x, kernel, depthwise=True))
    for number in range(int(np.log2(extent))):
        x = relu(x) if number else x
        kernel = w[f'gather.{3 * number}.weight']
        x = conv(x, kernel, stride=2, padding=1, depthwise=True)
        x = norm(w, f'gather.{3 * number + 1}', x)
    return x


@pytest.mark.parametrize('extent', [None, 2, 4, 8])
@pytest.mark.parametrize('variant', ['theta', 'theta+'])
def test_ge_with_weights(variant, extent):
    def formula(w, x):
        gate = gather(w, x, extent)
        if variant == 'theta+':
            hidden = relu(pointwise(w, 'excite.1', relu(gate)))
            gate = pointwise(w, 'excite.3', hidden)
        return x * sigmoid(gate if extent is None else upsample(gate))

    map_size = (H, W) if extent is None else None
    compare(GatherExcite(C, variant, extent, map_size, ratio=4), formula)


@pytest.mark.parametrize('ratio', [2, 4])
def test_a2(ratio):
    def formula(w, x):
        x = x.reshape(C, -1)
        a, b, v = (
            pointwise(w, name, x) for name in ('feature', 'gather', 'distribute')
        )
        z = a @ softmax(b, 1).T @ softmax(v, 0)
        return (x + norm(w, 'bn', pointwise(w, 'project', z), 1e-4)).reshape(C, H, W)

    compare(DoubleAttention(C, ratio), formula)


@pytest.mark.parametrize('stride', [1, 2])
def test_augmented_convolution(stride):
    channels, heads, h, w = 80, 4, -(-H // stride), -(-W // stride)
    dk, dv = 80, 8

    def formula(arrays, x):
        out = conv(x, arrays['conv.weight'], stride, padding=1)
        qkv = pointwise(arrays, 'qkv', x[:, ::stride, ::stride])
        q, k, v = np.split(qkv, [dk, 2 * dk])
        attended = np.zeros((dv, h, w))
        d, e = dk // heads, dv // heads
        for a in range(heads):
            query, key, value = q[a * d :][:d], k[a * d :][:d], v[a * e :][:e]
            for y in range(h):
                for x_ in range(w):
                    logits = np.array(
                        [
                            [
                                query[:, y, x_]
                                @ (
                                    key[:, i, j]
                                    + arrays['rows'][i - y + 9 - 1]
                                    + arrays['columns'][j - x_ + 9 - 1]
                                )
                                for j in range(w)
                            ]
                            for i in range(h)
                        ]
                    )
                    share = softmax(logits.ravel() / np.sqrt(d), 0).reshape(h, w)
                    attended[a * e :][:e, y, x_] = (value * share).sum((1, 2))
        return np.concatenate([out, pointwise(arrays, 'project', attended)])

    layer = AugmentedConv2d(C, channels, stride, heads, map_size=9)
    assert (layer.dk, layer.dv) == (dk, dv)
    compare(layer, formula)


PLUGINS = {
    'cbam': dict(type='mmdet.CBAM'),
    'scse': dict(type='mmdet.SCSE'),
    'ge': dict(type='mmdet.GatherExcite', variant='theta+', extent=8),
    'context_block': dict(type='mmdet.GlobalContext'),
    'gsop': dict(type='mmdet.GSoP', width=16),
    'a2': dict(type='mmdet.DoubleAttention'),
}


@pytest.fixture(params=PLUGINS)
def backbone(request):
    """mmdet's own ResNet-50, narrow, with a layer at the end of every branch."""
    plugin = dict(cfg=PLUGINS[request.param], position='after_conv3')
    backbone = MODELS.build(
        dict(type='mmdet.ResNet', depth=50, base_channels=16, plugins=[plugin])
    )
    assert hasattr(backbone.layer4[2], request.param)
    backbone.init_weights()
    return backbone


def test_a_plugin_of_mmdets_backbone_runs_at_any_size_and_learns(backbone):
    backbone.train()
    outs = backbone(torch.rand(2, 3, 97, 131))
    assert [out.shape[2:] for out in outs] == [(25, 33), (13, 17), (7, 9), (4, 5)]
    sum(out.square().mean() for out in outs).backward()
    assert all(weight.grad is not None for weight in backbone.parameters())
    assert all(weight.grad.isfinite().all() for weight in backbone.parameters())


def test_starts_are_kept_when_a_backbone_initialises_its_weights():
    x = torch.rand(2, 3, 64, 64)
    plain = MODELS.build(dict(type='mmdet.ResNet', depth=50, base_channels=16))
    for name in ('context_block', 'a2'):
        plugin = dict(cfg=PLUGINS[name], position='after_conv3')
        backbone = MODELS.build(
            dict(type='mmdet.ResNet', depth=50, base_channels=16, plugins=[plugin])
        )
        backbone.init_weights()
        plain.load_state_dict(backbone.state_dict(), strict=False)
        with torch.no_grad():
            for ours, theirs in zip(backbone(x), plain(x)):
                assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: CBAM(8, ratio=16), 'ratio must be at most the 8 channels, got 16'),
        (lambda: GatherExcite(8, 'delta'), "variant must be one of .*, got 'delta'"),
        (lambda: GatherExcite(8, 'theta', extent=3), 'extent must be one of .* got 3'),
        (lambda: GatherExcite(8, 'theta'), 'map_size is missing.*extent=8'),
        (lambda: SCSE(8, combine='mean'), "combine must be 'max' or 'add', got 'mean'"),
        (lambda: GSoP(8, width=0), 'width must be a positive integer, got 0'),
        (lambda: AugmentedConv2d(8, 8), '8 channels with k=0.2 and v=0.1'),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_another_map_than_the_kernel_was_built_for_is_refused():
    layer = GatherExcite(C, 'theta', map_size=7)
    with pytest.raises(UserError, match=r'maps of \(7, 7\), got \(9, 7\).*extent=8'):
        layer(torch.rand(1, C, 9, 7))


def averages(x):
    """Means of 3x3 windows of x (C, H, W) at every second position, without padding."""
    h, w = x.shape[1:]
    return np.array(
        [
            [
                x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean((1, 2))
                for j in range(0, w, 2)
            ]
            for i in range(0, h, 2)
        ]
    ).transpose(2, 0, 1)


@pytest.mark.parametrize(('max_positions', 'poolings'), [(62, 1), (19, 2), (6, 2)])
def test_a_large_map_is_pooled_until_it_has_few_positions(max_positions, poolings):
    """63 positions become 5 x 4, then 3 x 2."""
    layer, _ = random_layer(AugmentedConv2d(C, 80, heads=4, map_size=9))
    x = images(1, C, H, W)
    pooled = x[0].numpy()
    for _ in range(poolings):
        pooled = averages(pooled)
    with torch.no_grad():
        small = layer(torch.from_numpy(pooled)[None])[:, -layer.dv :]
        expected = nn.Upsample((H, W), mode='bilinear')(small)
        layer.max_positions = max_positions
        torch.testing.assert_close(layer(x)[:, -layer.dv :], expected)


def test_offsets_beyond_the_table_are_interpolated():
    """A table that is linear in the offset stays so, from end to end."""
    layer = AugmentedConv2d(C, 80, heads=4, map_size=4).double()
    x = images(1, C, 7, 1)
    vector = images(layer.dk // layer.heads)
    small = torch.arange(-3, 4)[:, None] * vector
    large = torch.arange(-6, 7)[:, None] * vector / 2  # offset 6 has that of 3
    with torch.no_grad():
        layer.rows.copy_(small)
        expected = AugmentedConv2d(C, 80, heads=4, map_size=(7, 4)).double()
        expected.load_state_dict({**layer.state_dict(), 'rows': large})
        torch.testing.assert_close(layer(x), expected(x))


@pytest.mark.parametrize(
    'layer',
    [
        GatherExcite(16, 'theta', extent=2),
        AugmentedConv2d(16, 16, heads=2, v=0.5, max_positions=4),
    ],
    ids=['gather_excite', 'augmented_conv'],
)
def test_where_autocast_interpolates_in_float32_the_output_stays_half(
    layer, monkeypatch
):
    """CUDA's autocast does so; the CPU's does not."""
    interpolate = nn.functional.interpolate
    monkeypatch.setattr(
        nn.functional,
        'interpolate',
        lambda x, *args, **kwargs: interpolate(x.float(), *args, **kwargs),
    )
    with torch.autocast('cpu', torch.bfloat16):
        out = layer(torch.randn(2, 16, 8, 8, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
