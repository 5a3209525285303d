"""What holds for every backbone and every member of the family in one."""

import copy

import mmdet.models.backbones as theirs
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import mmdet_eca as ours
from mmdet_eca import (
    AttentionMobileNetV2,
    AttentionResNet,
    ChannelAttention,
    ECALayer,
    ECAResNet,
    SqueezeExcitation,
    UserError,
)
from tests.conftest import every_amp
from tests.models.exporting import export, run_onnx

SMALL = dict(base_channels=16)
NEXT = dict(depth=50, groups=4, base_width=4, **SMALL)
MEMBERS = (
    'SqueezeExcitation',
    'SEVar1',
    'SEVar2',
    'SEVar3',
    'SEGroup',
    'ECANonShared',
    'ECALayer',
)
BACKBONES = {
    'ECAResNet': dict(depth=50, **SMALL),
    'SEResNet': dict(depth=50, **SMALL),
    'ECAResNetV1d': dict(depth=50, **SMALL),
    'SEResNetV1d': dict(depth=18, **SMALL),
    'ECAResNeXt': NEXT,
    'ECAMobileNetV2': dict(widen_factor=0.25),
    **{
        f'AttentionResNet {member}': dict(
            depth=18, attention=dict(type=member), **SMALL)
        for member in MEMBERS
    },
    'AttentionResNetV1d SEVar2': dict(
        depth=18, attention=dict(type='SEVar2'), **SMALL),
    'AttentionResNeXt SEVar2': dict(attention=dict(type='SEVar2'), **NEXT),
    'AttentionMobileNetV2 SE': dict(
        attention=dict(type='SqueezeExcitation', ratio=8), widen_factor=0.25),
}  # yapf: disable
every_backbone = pytest.mark.parametrize('name', BACKBONES)
IMAGES = (2, 3, 64, 64)


def build(name, **more):
    """The backbone in evaluation mode, with norms that do something."""
    backbone = MODELS.build(
        dict(type=name.split()[0], **copy.deepcopy(BACKBONES[name]), **more)
    )
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1)
    return backbone.eval()


def build_short(name):
    """Of every kind of block one or two, the tail folded in the first stage
    alone, for what takes seconds a block."""
    if 'MobileNet' in name:
        backbone = build(name, out_indices=(1, 2))
        del backbone.layers[3:]
    else:
        backbone = build(
            name, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1)
        )
        del backbone.layer1[2:], backbone.layer2[1:]
    return backbone


def attention_layers(backbone):
    return [m for m in backbone.modules() if isinstance(m, ChannelAttention)]


def assert_same(outs, expected, rtol=1e-4, atol=1e-5):
    assert len(outs) == len(expected)
    for out, wanted in zip(outs, expected):
        torch.testing.assert_close(out, wanted, rtol=rtol, atol=atol)


@every_backbone
def test_every_block_has_attention(name):
    backbone = build(name)
    blocks = [m for m in backbone.modules() if hasattr(m, 'attention_name')]
    assert len(blocks) == len(attention_layers(backbone)) > 7
    assert all(block.attention is not None for block in blocks)


@every_backbone
def test_compiles_to_one_graph(name, device):
    torch.compiler.reset()  # one compilation cache for all blocks
    backbone, x = build_short(name), torch.randn(IMAGES)
    compiled = torch.compile(backbone, fullgraph=True, backend='aot_eager')
    with torch.no_grad():
        assert_same(compiled(x), backbone(x))


@every_backbone
def test_exports(name):
    backbone, x = build_short(name), torch.randn(IMAGES)
    assert_same(export(backbone, x)(x), backbone(x))


@pytest.mark.parametrize(
    'name',
    [
        'SEResNet',
        'ECAResNetV1d',
        'ECAResNeXt',
        'ECAMobileNetV2',
        'AttentionResNet ECANonShared',
    ],
)
def test_onnx_gives_the_same_output(name):
    backbone, x = build_short(name), torch.randn(IMAGES)
    assert_same(run_onnx(backbone, x), backbone(x))


@every_amp
@every_backbone
def test_autocast_gives_the_eager_output(name, device, dtype):
    """Within some roundings to the data type, which every layer's output has to
    take on every device."""
    backbone, x = build(name), torch.randn(IMAGES)
    expected = backbone(x)
    with torch.autocast(device.type, dtype):
        outs = backbone(x)
    for out, wanted in zip(outs, expected):
        assert out.dtype == dtype
        error = (out.float() - wanted).norm() / wanted.norm()
        assert error < 8 * torch.finfo(dtype).eps


@every_amp
@every_backbone
def test_a_scaled_loss_gives_the_gradients_of_float32(name, device, dtype):
    """The scale is the one that torch's GradScaler starts with; the gradients are
    as far off as layer by layer under the same autocast, at most half more."""
    scale = 2.0**16 if dtype == torch.float16 else 1.0
    gradients = {}
    for folded in (True, False):
        for amp in (True, False):
            torch.manual_seed(0)
            options = {} if 'Mobile' in name else dict(folded=folded)
            backbone = build(name, **options)
            x = torch.randn(IMAGES)
            with torch.autocast(device.type, dtype, enabled=amp):
                outs = backbone(x)
            loss = sum(out.float().square().mean() for out in outs)
            (scale * loss).backward()
            gradients[folded, amp] = (
                torch.cat([p.grad.flatten() for p in backbone.parameters()]) / scale
            )
    ours, theirs = (
        (gradients[folded, True] - gradients[False, False]).norm()
        for folded in (True, False)
    )
    assert ours <= 1.5 * theirs
    assert theirs < 0.1 * gradients[False, False].norm()


@every_backbone
def test_channels_last_gives_the_same_outputs_and_gradients(name, device):
    """In float64, since the layouts have algorithms of their own."""
    backbone, x = build(name).double(), torch.randn(IMAGES).double()
    outs, gradients = [], []
    for layout in (torch.contiguous_format, torch.channels_last):
        backbone.zero_grad()
        outs.append(backbone.to(memory_format=layout)(x))
        sum(out.square().mean() for out in outs[-1]).backward()
        gradients.append([p.grad.clone() for p in backbone.parameters()])
    outs_in_float32 = copy.deepcopy(backbone).float()(x.float())
    assert all(
        out.is_contiguous(memory_format=torch.channels_last)
        for out in (*outs[1], *outs_in_float32)
    )
    assert_same(outs[1], outs[0], 1e-9, 1e-12)
    scale = max(grad.abs().max() for grad in gradients[0])
    for one, other in zip(*gradients):
        assert (one - other).abs().max() <= 1e-9 * scale


@every_backbone
@pytest.mark.parametrize('learns', [True, False])
def test_an_empty_batch_has_gradients_of_zero(name, learns, device):
    """Of the weights, or of the images alone, as through a frozen network."""
    backbone = build(name).requires_grad_(learns)
    images = torch.empty(0, 3, 64, 64, requires_grad=True)
    outs = backbone(images)
    shapes = [out.shape[1:] for out in backbone(torch.randn(IMAGES))]
    assert [out.shape for out in outs] == [(0, *shape) for shape in shapes]
    sum(out.sum() for out in outs).backward()
    assert images.grad.shape == images.shape
    for parameter in backbone.parameters():
        assert (parameter.grad is not None) == learns
        if learns:
            assert parameter.grad.shape == parameter.shape
            assert parameter.grad.eq(0).all()


@every_backbone
def test_with_cp_gives_the_same_outputs_and_gradients(name, device):
    backbone, checkpointed = build(name), build(name, with_cp=True)
    checkpointed.load_state_dict(backbone.state_dict())
    backbone.double(), checkpointed.double()
    x = torch.randn(IMAGES).double()
    losses = []
    for network in (backbone, checkpointed):
        loss = network.train()(x)[-1].square().mean()
        loss.backward()
        losses.append(loss.detach())
    torch.testing.assert_close(*losses)
    for (key, one), other in zip(
        backbone.named_parameters(), checkpointed.parameters()
    ):
        torch.testing.assert_close(one.grad, other.grad, msg=key)


@every_backbone
def test_loads_its_own_weights_and_refuses_others(name):
    backbone = build(name)
    state = backbone.state_dict()
    build(name).load_state_dict(state)
    layers = attention_layers(backbone)
    missing = [key for key in state if f'.{layers[-1]._abbr_}.' in key]
    if missing:
        del state[missing[-1]]
        with pytest.raises(UserError, match='attention weights missing'):
            build(name).load_state_dict(state, strict=False)


def mobilenet(**arguments):
    return dict(widen_factor=0.25, **arguments)


@pytest.mark.parametrize(('attention', 'plain', 'arguments'), [
    ('AttentionResNetV1d', 'ResNetV1d', dict(depth=50, **SMALL)),
    ('AttentionResNetV1d', 'ResNetV1d', dict(depth=18, **SMALL)),
    ('AttentionResNeXt', 'ResNeXt', NEXT),
    ('AttentionResNeXt', 'ResNeXt', dict(
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True), style='caffe', **NEXT)),
    ('AttentionResNeXt', 'ResNeXt', dict(plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1 / 4),
             position='after_conv3')], **NEXT)),
    ('AttentionMobileNetV2', 'MobileNetV2', mobilenet()),
    ('AttentionMobileNetV2', 'MobileNetV2', mobilenet(
        out_indices=(2, 4), frozen_stages=3, norm_eval=True,
        norm_cfg=dict(type='GN', num_groups=1), act_cfg=dict(type='HSwish'))),
])  # yapf: disable
def test_without_attention_it_is_mmdets_backbone(attention, plain, arguments):
    plain = getattr(theirs, plain)(**copy.deepcopy(arguments))
    plain.eval()
    backbone = getattr(ours, attention)(**copy.deepcopy(arguments)).eval()
    backbone.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 128, 128)
    assert_same(backbone(x), plain(x))
    assert backbone.init_cfg == plain.init_cfg
    plain.train(), backbone.train()
    assert [
        (m.training, [p.requires_grad for p in m.parameters()])
        for m in backbone.modules()
    ] == [
        (m.training, [p.requires_grad for p in m.parameters()]) for m in plain.modules()
    ]


def test_mobilenet_has_attention_before_the_shortcut():
    """Every inverted residual, layer by layer, as the paper says in 4.2.2."""
    backbone = build('ECAMobileNetV2')
    x = torch.randn(IMAGES)
    out, outs = backbone.conv1(x), []
    for index in range(1, 8):
        for block in getattr(backbone, f'layer{index}'):
            branch = out
            if hasattr(block, 'expand_conv'):
                branch = block.expand_conv(branch)
            branch = block.linear_conv(block.depthwise_conv(branch))
            pooled = branch.mean((2, 3))[:, None]
            gate = nn.functional.conv1d(
                pooled, block.eca.conv.weight, padding='same'
            ).sigmoid()
            branch = branch * gate[:, 0, :, None, None]
            out = out + branch if out.shape == branch.shape else branch
        outs.append(out)
    assert_same(backbone(x)[:3], [outs[1 - 0], outs[2], outs[4]])


def test_the_authors_mobilenet_has_36_weights():
    """Kernel sizes of their code: 1 up to 96 channels, 3 above."""
    with torch.device('meta'):
        backbone = ours.ECAMobileNetV2(kernel_size=(1, 1, 1, 1, 1, 3, 3))
        added = sum(
            p.numel() for m in attention_layers(backbone) for p in m.parameters()
        )
    blocks = {16: 1, 24: 2, 32: 3, 64: 4, 96: 3, 160: 3, 320: 1}
    assert added == sum(n * (1 if c <= 96 else 3) for c, n in blocks.items())


@pytest.mark.parametrize(
    ('depth', 'blocks'),
    [
        (50, (3, 4, 6, 3)),
        (101, (3, 4, 23, 3)),
        (152, (3, 8, 36, 3)),
        (200, (3, 24, 36, 3)),
        (269, (3, 30, 48, 8)),
    ],
)
@pytest.mark.parametrize('name', ['ECAResNetV1d', 'SEResNetV1d'])
def test_v1d_has_the_blocks_of_its_depth(name, depth, blocks):
    """Three convolutions a block and one before: the depth in the name."""
    with torch.device('meta'):
        backbone = getattr(ours, name)(depth)
    assert tuple(len(getattr(backbone, f'layer{i}')) for i in range(1, 5)) == blocks
    assert 3 * sum(blocks) + 2 == depth


def test_multiply_adds_that_eca_adds_to_resnet50():
    """k a channel in every block: 86,272, or 8e-5 G. The paper has 4.7e-4 G;
    counting every kernel as a square one, k^2, gives 4.8e-4 of its 2^30."""
    sizes, blocks = (3, 5, 5, 7), (3, 4, 6, 3)
    channels = (256, 512, 1024, 2048)
    expected = sum(n * k * c for n, k, c in zip(blocks, sizes, channels))
    counts = []
    with torch.device('meta'):
        x = torch.empty(1, 3, 224, 224)
        for backbone in (
            ECAResNet(50, sizes, folded=False),
            AttentionResNet(50, folded=False),
        ):
            with FlopCounterMode(display=False) as counter:
                backbone.eval()(x)
            counts.append(counter.get_total_flops() // 2)
    assert counts[0] - counts[1] == expected == 86272
    squares = sum(n * k * k * c for n, k, c in zip(blocks, sizes, channels))
    assert round(squares / 2**30 * 1e4, 1) == 4.8


def test_one_attention_a_stage():
    backbone = AttentionResNet(
        18,
        attention=[
            None,
            dict(type='SEVar3'),
            dict(type='ECALayer', kernel_size=3),
            None,
        ],
        **SMALL,
    )
    kinds = [
        type(block.attention).__name__
        for i in range(1, 5)
        for block in getattr(backbone, f'layer{i}')
    ]
    assert (
        kinds == ['NoneType'] * 2 + ['SEVar3'] * 2 + ['ECALayer'] * 2 + ['NoneType'] * 2
    )


def test_attention_beside_plugins():
    """SE as the attention and ECA as a plugin: different names, both work."""
    backbone = AttentionResNet(
        50,
        attention=ConfigDict(type='SqueezeExcitation'),
        plugins=[dict(cfg=dict(type='mmdet.ECALayer'), position='after_conv2')],
        **SMALL,
    )
    kinds = {type(layer) for layer in attention_layers(backbone)}
    assert kinds == {SqueezeExcitation, ECALayer}
    assert backbone(torch.randn(IMAGES))[-1].isfinite().all()


def test_attention_of_another_kind_in_a_checkpoint_is_refused():
    eca, se = build('ECAResNet'), build('SEResNet')
    plain = AttentionResNet(50, **SMALL)
    with pytest.raises(UserError, match="'layer1.0.eca.*its own is se:"):
        se.load_state_dict(eca.state_dict(), strict=False)
    with pytest.raises(UserError, match="'layer1.0.se.*its own is none"):
        plain.load_state_dict(se.state_dict(), strict=False)


@pytest.mark.parametrize(
    ('attention', 'message'),
    [
        (dict(type='ECALayr'), "'ECALayr' is not registered; near ones are ECALayer"),
        (dict(type='mmdet.SEVar4'), 'near ones are SEVar[123], SEVar'),
        (dict(type='zzz'), 'near ones are ECALayer, ECANonShared, SEGroup'),
        (dict(type='ContextBlock', ratio=0.5), 'is no ChannelAttention.*plugins'),
        (dict(ratio=16), "must be a dict with a 'type'"),
        ('ECALayer', "must be a dict with a 'type'.*got 'ECALayer'"),
        ([dict(type='SEVar1')] * 3, 'one a stage, 4 in all, got 3'),
        (dict(type='SqueezeExcitation', ratio=65), 'at most the 64 channels.*65'),
        (dict(type='SEGroup', groups=12), 'must divide the 64 channels, got 12'),
        (dict(type='ECALayer', kernel_size=65), 'at most the 64 channels.*65'),
    ],
)
def test_wrong_attention_is_named(attention, message):
    with pytest.raises(UserError, match=message):
        AttentionResNet(50, attention=attention, **SMALL)


@pytest.mark.parametrize('kernel_size', [(1, 1, 1, 3), '3'])
def test_wrong_kernel_sizes_of_mobilenet_are_named(kernel_size):
    with pytest.raises(UserError, match="7 in all, got 4|odd.*got '3'"):
        ours.ECAMobileNetV2(kernel_size=kernel_size)


def test_mobilenets_kernel_sizes_are_checked_in_a_checkpoint():
    sizes = (1, 1, 1, 1, 1, 3, 3)
    source = ours.ECAMobileNetV2(kernel_size=sizes, widen_factor=0.25)
    with pytest.raises(UserError, match='set kernel_size=\\(1, 1, 1, 1, 1, 3, 3'):
        AttentionMobileNetV2(
            attention=dict(type='ECALayer', kernel_size=5), widen_factor=0.25
        ).load_state_dict(source.state_dict())
