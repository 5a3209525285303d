"""The folded path against the direct one: the same function, less memory."""

import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmdet.models.backbones import ResNet
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from torch import nn

from mmdet_eca import AttentionResNet, ECAResNet, ECAResNetV1d, ECAResNeXt

MEMBERS = [None] + [
    dict(type=f'mmdet.{name}')
    for name in (
        'SqueezeExcitation',
        'SEVar1',
        'SEVar2',
        'SEVar3',
        'SEGroup',
        'ECANonShared',
        'ECALayer',
    )
]
SMALL = dict(base_channels=8)
pytestmark = pytest.mark.usefixtures('device')


def pair(build, **arguments):
    """A folded and a direct backbone of the same weights, in float64, so that
    what is compared is the formula and not some device's algorithms."""
    folded = build(**copy.deepcopy(arguments)).double()
    for module in folded.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.track_running_stats:
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
                nn.init.uniform_(module.running_var, 0.5, 1)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1)
                nn.init.uniform_(module.bias, -0.1, 0.1)
    direct = build(folded=False, **copy.deepcopy(arguments)).double()
    direct.load_state_dict(folded.state_dict())
    return folded, direct


def results(network, x):
    """Outputs, and the gradients of the input and of all that learns."""
    network.zero_grad()
    image = x.clone(memory_format=torch.preserve_format).requires_grad_()
    outs = network(image)
    sum(out.square().mean() for out in outs).backward()
    return (
        [out.detach() for out in outs]
        + [image.grad]
        + [p.grad for p in network.parameters() if p.requires_grad]
    )


def images(*shape):
    return torch.randn(shape, dtype=torch.float64)


def assert_equal(folded, direct, x):
    for ours, theirs in zip(results(folded, x), results(direct, x)):
        assert (ours - theirs).abs().max() <= 1e-9 * theirs.abs().max()


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('attention', MEMBERS, ids=str)
def test_every_member(attention, channels_last):
    folded, direct = pair(AttentionResNet, depth=50, attention=attention, **SMALL)
    if channels_last:
        folded.to(memory_format=torch.channels_last)
    assert_equal(folded.train(), direct.train(), images(2, 3, 33, 65))


@pytest.mark.parametrize('channels_last', [False, True])
def test_float32_is_as_exact_as_layer_by_layer(channels_last):
    """Both beside float64: no tolerance knows the algorithms of every device."""
    folded, direct = pair(ECAResNet, depth=50, **SMALL)
    x = images(2, 3, 97, 129)
    truth = results(direct.train(), x)
    if channels_last:
        folded.to(memory_format=torch.channels_last)
    found, peer = (
        results(network.float().train(), x.float()) for network in (folded, direct)
    )

    def error(values):
        return [
            (value - true).norm() / true.norm() for value, true in zip(values, truth)
        ]

    ours, theirs = torch.tensor(error(found)), torch.tensor(error(peer))
    assert ours.mean() <= 2 * theirs.mean() < 1e-4
    assert (ours <= 10 * theirs + 1e-6).all()


@pytest.mark.parametrize('depth', [18, 34, 101, 152])
def test_every_depth(depth):
    folded, direct = pair(ECAResNet, depth=depth, base_channels=8)
    assert_equal(folded.train(), direct.train(), images(1, 3, 64, 64))


@pytest.mark.parametrize(
    'arguments',
    [
        dict(frozen_stages=1),
        dict(frozen_stages=4),
        dict(norm_cfg=dict(type='BN', requires_grad=False)),
        dict(norm_cfg=dict(type='BN', affine=False)),
        dict(norm_cfg=dict(type='BN', track_running_stats=False)),
        dict(norm_cfg=dict(type='GN', num_groups=4)),
        dict(norm_eval=False),
        dict(with_cp=True),
        dict(style='caffe', strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
        dict(conv_cfg=dict(type='Conv2dAdaptivePadding')),
        dict(
            dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
            stage_with_dcn=(False, True, True, True),
        ),
        dict(
            plugins=[
                dict(cfg=dict(type='ContextBlock', ratio=1 / 4), position='after_conv3')
            ]
        ),
        dict(
            plugins=[
                dict(cfg=dict(type='ContextBlock', ratio=1 / 4), position='after_conv2')
            ]
        ),
    ],
    ids=str,
)
def test_every_argument(arguments):
    folded, direct = pair(ECAResNet, depth=50, **SMALL, **arguments)
    assert_equal(folded.train(), direct.train(), images(4, 3, 65, 97))


@pytest.mark.parametrize(
    ('build', 'arguments'),
    [
        (ECAResNetV1d, dict(depth=50)),
        (ECAResNetV1d, dict(depth=18)),
        (ECAResNeXt, dict(depth=50, groups=4, base_width=4)),
    ],
)
def test_every_kind(build, arguments):
    folded, direct = pair(build, **SMALL, **arguments)
    assert_equal(folded.train(), direct.train(), images(3, 3, 64, 64))


@pytest.fixture
def networks():
    folded, direct = pair(ECAResNet, depth=50, **SMALL)
    return folded.eval(), direct.eval()


def ones():
    return torch.ones(1, 3, 64, 64, dtype=torch.float64)


def assert_fresh(folded, direct, x=None):
    x = ones() if x is None else x
    with torch.no_grad():
        for out, expected in zip(folded(x), direct(x)):
            torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('n', [1, 2, 4])
def test_inference(networks, n):
    assert_fresh(*networks, images(n, 3, 65, 64))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('depth', [18, 50])
def test_folds_where_an_images_map_is_larger_than_the_weights(
    depth, training, monkeypatch
):
    """An output has at most 7 x 7 x 3 weights in the stem and 3 x 3 x 8 in the
    stage; their maps are of 32 and 16 pixels square, or of 4 and 2."""
    network = ECAResNet(
        depth, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), **SMALL
    ).train(training)
    ran = []
    monkeypatch.setattr(
        nn.BatchNorm2d, 'forward', lambda self, x: ran.append(self) or x
    )
    network(torch.randn(2, 3, 64, 64))
    assert not ran
    network(torch.randn(2, 3, 8, 8))
    assert set(ran) == {m for m in network.modules() if isinstance(m, nn.BatchNorm2d)}


def _step(network):
    network.layer2[1].conv3.weight.grad = torch.ones_like(
        network.layer2[1].conv3.weight
    )
    network.layer1[0].bn2.bias.grad = torch.ones_like(network.layer1[0].bn2.bias)
    torch.optim.SGD(network.parameters(), 0.1).step()


def _load(network):
    network.load_state_dict(
        {
            name: value * 1.5 if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
    )


def _move_statistics(network):
    network.layer2[0].bn1.running_mean.add_(0.5)


def _replace(network):
    conv = network.layer2[0].conv3
    conv.weight = nn.Parameter(conv.weight.detach() * 2)


def _swap_data(network):
    conv = network.layer2[0].conv3
    conv.weight.data = conv.weight.data * 2


def _write_into_data(network):
    """Which leaves no trace: neither the address nor the version changes."""
    network.layer1[1].conv3.weight.data.mul_(2)
    network.layer2[0].bn1.running_var.data.add_(1)


def _share(network):
    first, second = network.layer1[1], network.layer1[2]
    second.conv3.weight = first.conv3.weight
    with torch.no_grad():
        first.conv3.weight.mul_(2)


def _round_trip(network):
    network.to(torch.bfloat16).to(torch.float64)


def _train(network):
    network.train()
    with torch.no_grad():
        network.layer1[0].bn1.running_var.mul_(2)
    network.eval()


@pytest.mark.parametrize(
    'change',
    [
        _step,
        _load,
        _move_statistics,
        _replace,
        _swap_data,
        _write_into_data,
        _share,
        _round_trip,
        _train,
    ],
)
def test_a_stale_weight_is_impossible(networks, change):
    """Without a call of train() or eval() between, in every mode of autograd."""
    folded, direct = networks
    assert_fresh(folded, direct)
    before = folded(ones())
    for network in networks:
        change(network)
    assert_fresh(folded, direct)
    with torch.inference_mode():
        assert_fresh(folded, direct)
    after = folded(ones())
    assert not torch.equal(before[-1], after[-1])


def test_ema_swaps_are_seen(networks):
    """mmengine's EMAHook lets the average and the weights change places before
    an evaluation and again after it."""
    folded, direct = networks
    hooks = []
    for network in networks:
        hooks.append(EMAHook())
        hooks[-1].src_model = network
        hooks[-1].ema_model = ExponentialMovingAverage(network)

    def swap():
        for network, hook in zip(networks, hooks):
            hook._swap_ema_parameters()
            network.eval()

    for _ in range(3):
        for network, hook in zip(networks, hooks):
            network.train()
            _step(network)
            hook.ema_model.update_parameters(network)
            network.eval()
        assert_fresh(folded, direct)
        swap()
        assert_fresh(folded, direct)
        swap()
    assert_fresh(folded, direct)


def test_a_mean_teacher_is_seen(networks):
    """mmdet's MeanTeacherHook writes into the weights of a teacher that learns
    nothing itself, after every step of the training."""
    hook = MeanTeacherHook()
    models = nn.ModuleList()
    for network in networks:
        model = nn.ModuleDict(dict(student=copy.deepcopy(network), teacher=network))
        _step(model['student'])
        models.append(model)
    models.train()
    for model in models:
        model['teacher'].requires_grad_(False)
    for _ in range(2):
        before = [out.clone() for out in networks[0](ones())]
        for model in models:
            hook.momentum_update(SimpleNamespace(**model), 0.5)
        assert_fresh(*networks)
        after = networks[0](ones())
        assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
def test_a_copy_has_its_own_weights(networks, copied):
    folded, direct = networks
    assert_fresh(folded, direct)
    other = copied(folded)
    assert_fresh(other, direct)
    _step(other)
    assert_fresh(folded, direct)
    _step(direct)
    assert_fresh(other, direct)


def test_inference_mode_and_models_made_in_it(networks):
    folded, direct = networks
    with torch.inference_mode():
        assert_fresh(folded, direct)
        made = [copy.deepcopy(network) for network in networks]
        assert_fresh(*made)
        for network in made:
            network.layer1[0].bn1.weight.mul_(3)
        assert_fresh(*made)


def test_hooks_are_called(networks):
    folded, _ = networks
    seen = []
    for name in ('conv1', 'bn2', 'conv3', 'bn3', 'eca', 'relu', 'downsample'):
        getattr(folded.layer1[0], name).register_forward_hook(
            lambda *args, name=name: seen.append(name)
        )
    folded(ones())
    assert seen == [
        'conv1',
        'relu',
        'bn2',
        'relu',
        'conv3',
        'bn3',
        'eca',
        'downsample',
        'relu',
    ]


def test_hooks_on_a_frozen_trunk_change_nothing(networks):
    folded, direct = networks
    folded.layer2[1].bn3.register_forward_hook(lambda *args: None)
    assert_fresh(folded, direct)


def saved_bytes(network, x):
    """Bytes that autograd keeps for the backward pass, each storage once."""
    own = {value.data_ptr() for value in network.state_dict().values()}
    kept = {}

    def keep(t):
        if t.data_ptr() not in own:
            kept[t.untyped_storage().data_ptr()] = t
        return t

    network.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        outs = network(x)
    assert len(outs) == 4
    return sum(t.untyped_storage().nbytes() for t in kept.values())


def test_saved_activations_are_two_thirds_of_the_plain_resnets():
    x = torch.randn(2, 3, 256, 256)
    arguments = dict(depth=50, frozen_stages=1, **SMALL)
    plain = saved_bytes(ResNet(**arguments), x)
    for build in (ECAResNet, AttentionResNet):
        assert saved_bytes(build(**arguments), x) <= 0.66 * plain
        direct = build(folded=False, **arguments)
        assert saved_bytes(direct, x) >= 0.99 * plain
