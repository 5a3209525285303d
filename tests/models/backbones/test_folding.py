"""The folded path against the direct one: the same function, less memory."""

import copy
import re

import pytest
import torch
from mmdet.models.backbones import ResNet
from torch import nn

from mmdet_eca import (
    A2ResNet,
    AAResNet,
    AttentionResNet,
    CBAMResNet,
    ECAResNet,
    ECAResNetV1d,
    ECAResNeXt,
    GSoPResNet,
)
from mmdet_eca.models.backbones.folded_blocks import FORMS
from tests.models.backbones.folded_and_direct import (
    SMALL,
    assert_same_inference,
    images,
    ones,
    pair,
)

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
        'GlobalContext',
        'GatherExcite',
    )
]
pytestmark = pytest.mark.usefixtures('device')


@pytest.fixture(params=['folded', 'fused'])
def form(request, monkeypatch, device):
    """The backbones run in this form by default."""
    monkeypatch.setitem(FORMS, device.type, request.param)


in_both_forms = pytest.mark.usefixtures('form')


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


def assert_equal(folded, direct, x):
    wanted = results(direct, x)
    # Some gradients are zero but for rounding, as of what a softmax does not see.
    zero = 1e-14 * max(expected.abs().max() for expected in wanted)
    for value, expected in zip(results(folded, x), wanted):
        assert (value - expected).abs().max() <= 1e-9 * expected.abs().max() + zero


@in_both_forms
@pytest.mark.parametrize('norm_eval', [False, True])
@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('attention', MEMBERS, ids=str)
def test_every_member(attention, channels_last, norm_eval):
    folded, direct = pair(
        AttentionResNet, depth=50, attention=attention, norm_eval=norm_eval, **SMALL
    )
    if channels_last:
        folded.to(memory_format=torch.channels_last)
    assert_equal(folded.train(), direct.train(), images(2, 3, 33, 65))


@in_both_forms
@pytest.mark.parametrize(
    'arguments',
    [
        dict(depth=18, norm_eval=True),
        dict(depth=18, norm_eval=False),
        dict(depth=50, norm_eval=False),
        dict(depth=50, norm_eval=False, with_cp=True),
    ],
    ids=str,
)
def test_statistics_are_those_of_the_direct_form(arguments):
    """With ``with_cp`` they move in the second forward pass, too, in both."""
    norm_eval = arguments['norm_eval']
    folded, direct = pair(ECAResNet, **arguments, **SMALL)
    before = copy.deepcopy(direct.state_dict())
    for x in (images(3, 3, 64, 64), images(2, 3, 65, 33)):
        for network in (folded, direct):
            network.train()(x)[-1].sum().backward()
    for name, value in direct.named_buffers():
        torch.testing.assert_close(
            folded.get_buffer(name), value, rtol=1e-11, atol=1e-13
        )
        assert torch.equal(before[name], value) == norm_eval


@in_both_forms
@pytest.mark.parametrize('norm_eval', [False, True])
@pytest.mark.parametrize('channels_last', [False, True])
def test_float32_is_as_exact_as_layer_by_layer(channels_last, norm_eval):
    """Both beside float64: no tolerance knows the algorithms of every device.

    The median of three networks: rounding turns a ReLU on or off now and then.
    """
    errors = []
    for seed in range(3):
        torch.manual_seed(seed)
        pair_of = pair(ECAResNet, depth=50, norm_eval=norm_eval, **SMALL)
        x = images(2, 3, 97, 129)
        truth = results(pair_of[1].train(), x)
        if channels_last:
            for network in pair_of:
                network.to(memory_format=torch.channels_last)
        for network in pair_of:
            found = results(network.float().train(), x.float())
            errors += [(v - true).norm() / true.norm() for v, true in zip(found, truth)]
    errors = torch.tensor(errors).view(3, 2, -1).median(0).values
    of_folded, of_direct = errors
    assert of_folded.mean() <= 2 * of_direct.mean() < (1e-4 if norm_eval else 1e-2)
    assert (of_folded <= 10 * of_direct + 1e-6).all()


@pytest.mark.parametrize('depth', [18, 34, 101, 152])
def test_every_depth(depth):
    folded, direct = pair(ECAResNet, depth=depth, base_channels=8)
    assert_equal(folded.train(), direct.train(), images(1, 3, 64, 64))


@in_both_forms
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
        dict(with_cp=True, norm_eval=False),
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
        (CBAMResNet, dict(depth=50)),
        (GSoPResNet, dict(depth=50, width=8)),
        (A2ResNet, dict(depth=50)),
        (AAResNet, dict(depth=50, heads=2, v=0.5)),
    ],
)
def test_every_kind(build, arguments):
    folded, direct = pair(build, **SMALL, **arguments)
    x = images(3, 3, 64, 64)
    assert_equal(folded.train(), direct.train(), x)
    assert_same_inference(folded.eval(), direct.eval(), x)


@pytest.mark.parametrize('n', [1, 2, 4])
def test_inference(networks, n):
    assert_same_inference(*networks, images(n, 3, 65, 64))


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
    assert_same_inference(folded, direct)


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


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('attention', ['ECALayer', 'SqueezeExcitation'])
def test_from_scratch_no_more_is_saved_than_by_the_plain_resnet(depth, attention):
    x = torch.randn(2, 3, 256, 256)
    arguments = dict(depth=depth, frozen_stages=-1, norm_eval=False, base_channels=16)
    plain = saved_bytes(ResNet(**arguments), x)
    arguments['attention'] = dict(type=f'mmdet.{attention}')
    assert saved_bytes(AttentionResNet(**arguments), x) <= 1.01 * plain
    assert saved_bytes(AttentionResNet(folded=False, **arguments), x) >= 1.1 * plain


@in_both_forms
@pytest.mark.parametrize('norm_eval', [False, True])
def test_gradients_pass_through_distributed_data_parallel(norm_eval):
    """Its hooks on the parameters, in a group of one process."""
    folded, direct = pair(ECAResNet, depth=50, norm_eval=norm_eval, **SMALL)
    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        network = nn.parallel.DistributedDataParallel(folded.train())
        assert_equal(network, direct.train(), images(2, 3, 64, 64))
    finally:
        torch.distributed.destroy_process_group()


def end_of_block(backbone):
    """What ``print(backbone)`` says of the first block."""
    return re.search('end of the block: (.+)', str(backbone))[1]


def test_a_backbone_says_how_its_blocks_end_and_why():
    small = dict(base_channels=8)
    for device, form in (('cpu', 'folded'), ('meta', 'layer by layer')):
        with torch.device(device):
            for kind in (ECAResNet(50, **small), ECAResNet(50, norm_eval=False)):
                assert end_of_block(kind) == f'{form}, the default on {device}'
    assert end_of_block(ECAResNet(50, folded=True, **small)) == 'folded, folded=True'
    assert end_of_block(ECAResNet(50, folded=False, **small)).endswith('folded=False')
    assert 'no attention' in end_of_block(AttentionResNet(50, **small))
    assert 'channels' in end_of_block(CBAMResNet(50, **small))
    watched = ECAResNet(50, **small)
    watched.layer1[0].attention.register_forward_hook(lambda *args: None)
    assert 'hooks' in end_of_block(watched)
