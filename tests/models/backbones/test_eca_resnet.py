import copy

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import AttentionResNet, ECALayer, ECAResNet, UserError
from tests.models.exporting import needs_new_exporter, run_onnx

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def torchvision_names(depth):
    """Names in torchvision's ResNet without its classifier, as its code builds
    them: a block has 2 convolutions up to depth 34 and 3 from 50 on, and the
    first of a stage a downsample branch where the shape changes."""
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    names = ['conv1.weight'] + [f'bn1.{n}' for n in norm]
    convs = 2 if depth < 50 else 3
    for stage, blocks in enumerate(BLOCKS[depth], 1):
        for block in range(blocks):
            prefix = f'layer{stage}.{block}'
            for conv in range(1, convs + 1):
                names.append(f'{prefix}.conv{conv}.weight')
                names += [f'{prefix}.bn{conv}.{n}' for n in norm]
            if block == 0 and (stage > 1 or depth >= 50):
                names.append(f'{prefix}.downsample.0.weight')
                names += [f'{prefix}.downsample.1.{n}' for n in norm]
    return set(names)


@pytest.fixture
def small():
    """A narrow ECA-ResNet-50 in evaluation mode and an image."""
    backbone = ECAResNet(50, base_channels=8).eval()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
    return backbone, torch.randn(2, 3, 64, 96)


@pytest.mark.parametrize('depth', BLOCKS)
def test_names_are_torchvisions_plus_eca(depth):
    with torch.device('meta'):
        state = ECAResNet(depth).state_dict()
    eca = {
        f'layer{stage}.{block}.eca.conv.weight'
        for stage, blocks in enumerate(BLOCKS[depth], 1)
        for block in range(blocks)
    }
    assert set(state) == torchvision_names(depth) | eca


@pytest.mark.parametrize(
    ('depth', 'kernel_size', 'paper'),
    [
        (50, (3, 5, 5, 7), 80),
        (101, (3, 3, 5, 7), 157),
        (152, (3, 3, 5, 7), 234),
        (18, (3, 5, 7, 7), 44),
    ],
)
def test_weights_that_eca_adds(depth, kernel_size, paper):
    with torch.device('meta'):
        with_eca = ECAResNet(depth, kernel_size)
        plain = ResNet(depth)
    added = sum(p.numel() for p in with_eca.parameters()) - sum(
        p.numel() for p in plain.parameters()
    )
    assert (
        added
        == paper
        == sum(k * blocks for k, blocks in zip(kernel_size, BLOCKS[depth]))
    )


@pytest.mark.parametrize(
    ('depth', 'sizes'), [(18, [3, 5, 5, 5]), (34, [3, 5, 5, 5]), (50, [5, 5, 5, 7])]
)
def test_adaptive_kernel_sizes(depth, sizes):
    with torch.device('meta'):
        backbone = ECAResNet(depth)
    assert [
        getattr(backbone, name)[-1].eca.kernel_size for name in backbone.res_layers
    ] == sizes


@pytest.mark.parametrize('kernel_size', [None, 7, (3, 5, 5, 7), [3, None, 5, 9]])
def test_kernel_size_for_all_or_one_a_stage(kernel_size):
    with torch.device('meta'):
        backbone = ECAResNet(50, kernel_size)
    wanted = (
        kernel_size if isinstance(kernel_size, (list, tuple)) else [kernel_size] * 4
    )
    for name, default, size in zip(backbone.res_layers, (5, 5, 5, 7), wanted):
        for block in getattr(backbone, name):
            assert block.eca.kernel_size == (size or default)


def _forward_in_steps(backbone, x):
    """The authors' formulation, step by step: ECA on the last norm's output,
    then the shortcut and the ReLU."""
    x = backbone.maxpool(backbone.norm1(backbone.conv1(x)).relu())
    outs = []
    for name in backbone.res_layers:
        for block in getattr(backbone, name):
            out = block.norm1(block.conv1(x)).relu()
            out = block.norm2(block.conv2(out))
            if hasattr(block, 'conv3'):
                out = block.norm3(block.conv3(out.relu()))
            pooled = nn.functional.adaptive_avg_pool2d(out, 1)
            mixed = nn.functional.conv1d(
                pooled.squeeze(-1).transpose(-1, -2),
                block.eca.conv.weight,
                padding=block.eca.kernel_size // 2,
            )
            gate = mixed.transpose(-1, -2).unsqueeze(-1).sigmoid()
            identity = block.downsample(x) if block.downsample else x
            x = (out * gate.expand_as(out) + identity).relu()
        outs.append(x)
    return outs


# In float64: in float32 the truth itself is off by 1e-5 to 1e-2 here, from rounding.
@pytest.mark.parametrize('folded', [False, True])
@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_outputs_and_gradients_are_those_of_the_authors_formulation(depth, folded):
    backbone = ECAResNet(
        depth, base_channels=8, zero_init_residual=False, folded=folded
    )
    backbone.double()
    twin = copy.deepcopy(backbone)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    outs, expected = backbone(x), _forward_in_steps(twin, x)
    for out, truth in zip(outs, expected):
        assert (out - truth).norm() <= 2.5e-13 * truth.norm()
    outs[-1].square().mean().backward()
    expected[-1].square().mean().backward()
    difference = size = 0
    for (name, value), truth in zip(backbone.named_parameters(), twin.parameters()):
        error = value.grad - truth.grad
        assert error.abs().max() <= 1e-11 * truth.grad.abs().max(), name
        difference += error.square().sum()
        size += truth.grad.square().sum()
    assert difference.sqrt() <= 1e-12 * size.sqrt()


@pytest.mark.parametrize('folded', [False, True])
@pytest.mark.parametrize('depth', [18, 50, 101])
def test_in_float32_it_is_as_exact_as_the_authors_formulation(depth, folded):
    """Beside the same network in float64."""
    backbone = ECAResNet(
        depth, base_channels=8, zero_init_residual=False, folded=folded
    )
    authors, exact = copy.deepcopy(backbone), copy.deepcopy(backbone).double()
    x = torch.randn(2, 3, 64, 64)
    for out, theirs, truth in zip(
        backbone(x), _forward_in_steps(authors, x), _forward_in_steps(exact, x.double())
    ):
        assert (theirs - truth).norm() > 0
        assert (out - truth).norm() <= 2 * (theirs - truth).norm()


@pytest.mark.parametrize(
    'arguments',
    [
        dict(),
        dict(style='caffe'),
        dict(deep_stem=True, avg_down=True),
        dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(1, 2)),
        dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
        dict(norm_cfg=dict(type='GN', num_groups=4)),
        dict(
            plugins=[
                dict(
                    cfg=dict(type='ContextBlock', ratio=1 / 4),
                    stages=(False, True, True, True),
                    position='after_conv3',
                ),
                dict(
                    cfg=dict(type='ContextBlock', ratio=1 / 4, postfix='_mid'),
                    position='after_conv2',
                ),
            ]
        ),
        dict(
            dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
            stage_with_dcn=(False, True, True, True),
        ),
    ],
    ids=lambda arguments: '-'.join(arguments) or 'default',
)
def test_arguments_work_as_in_mmdets_resnet(arguments):
    """With the attention taken out, both networks are the same function."""
    arguments = dict(depth=50, base_channels=8, **arguments)
    plain = ResNet(**copy.deepcopy(arguments))
    plain.eval()  # returns None
    without = AttentionResNet(**copy.deepcopy(arguments)).eval()
    without.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64)
    for one, other in zip(without(x), plain(x)):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)

    eca = ECAResNet(**copy.deepcopy(arguments)).eval()
    assert [out.shape for out in eca(x)] == [out.shape for out in plain(x)]
    assert all(
        isinstance(block.attention, ECALayer)
        for name in eca.res_layers
        for block in getattr(eca, name)
    )


@pytest.mark.parametrize('depth', [18, 50])
def test_initialisation_is_mmdets(depth):
    backbone = ECAResNet(depth, base_channels=8)
    plain = ResNet(depth, base_channels=8)
    assert backbone.init_cfg == plain.init_cfg
    backbone.init_weights()
    for name in backbone.res_layers:
        for block in getattr(backbone, name):
            last = block.norm2 if depth == 18 else block.norm3
            assert not last.weight.any()  # zero_init_residual


@pytest.mark.parametrize('depth', [18, 50])
def test_frozen_stages_and_norm_eval(depth):
    backbone = ECAResNet(depth, base_channels=8, frozen_stages=2)
    assert backbone.train() is backbone and backbone.training
    for name, parameter in backbone.named_parameters():
        frozen = name.startswith(('conv1', 'bn1', 'layer1', 'layer2'))
        assert parameter.requires_grad != frozen, name
    assert not any(
        m.training for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)
    )
    assert backbone.layer3[0].eca.training
    assert backbone.eval() is backbone and not backbone.training
    trained = ECAResNet(depth, base_channels=8, norm_eval=False).train()
    assert all(m.training for m in trained.modules())


@pytest.mark.parametrize('depth', [18, 50])
def test_with_cp_gives_the_same_outputs_and_gradients(depth):
    backbone = ECAResNet(depth, base_channels=8)
    checkpointed = ECAResNet(depth, base_channels=8, with_cp=True)
    checkpointed.load_state_dict(backbone.state_dict())
    x = torch.randn(2, 3, 64, 64)
    for network in (backbone, checkpointed):
        network.train()(x)[-1].sum().backward()
    for (name, one), other in zip(
        backbone.named_parameters(), checkpointed.parameters()
    ):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_training_step_in_bf16_autocast(small):
    backbone, x = small
    expected = backbone.train()(x)[-1].float()
    with torch.autocast('cpu', torch.bfloat16):
        out = backbone(x)[-1]
        loss = out.square().mean()
    assert out.dtype == torch.bfloat16
    assert (out.float() - expected).norm() < 0.05 * expected.norm()
    loss.backward()
    before = backbone.layer4[2].eca.conv.weight.detach().clone()
    torch.optim.SGD(backbone.parameters(), 1).step()
    after = backbone.layer4[2].eca.conv.weight
    assert after.isfinite().all() and not torch.equal(before, after)


@pytest.fixture
def short(small):
    """Its stages with two blocks and with one, for what takes seconds a block."""
    backbone, x = small
    del backbone.layer1[2:], backbone.layer2[1:]
    del backbone.layer3, backbone.layer4, backbone.res_layers[2:]
    return backbone, x


def test_compiles_to_one_graph(short):
    """By inductor."""
    backbone, x = short
    compiled = torch.compile(backbone, fullgraph=True)
    with torch.no_grad():
        for out, expected in zip(compiled(x), backbone(x)):
            torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    'layout', [torch.contiguous_format, torch.channels_last], ids=str
)
@pytest.mark.parametrize(
    'dynamo', [False, pytest.param(True, marks=needs_new_exporter)]
)
def test_onnx_gives_the_same_output(short, dynamo, layout):
    """By tracing, as MMDeploy exports, and by torch.export."""
    backbone, x = short
    backbone.to(memory_format=layout)
    outs = run_onnx(backbone, x.contiguous(memory_format=layout), dynamo)
    for out, expected in zip(outs, backbone(x)):
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


def test_backbone_is_in_mmdets_registry():
    cfg = dict(type='mmdet.ECAResNet', depth=18, kernel_size=3)
    assert isinstance(MODELS.build(cfg), ECAResNet)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(depth=51), r'depth must be one of \[18, 34, 50, 101, 152\], got 51'),
        (dict(depth=50, kernel_size=4), 'positive odd integer.*got 4'),
        (dict(depth=50, kernel_size=(3, 5, 5)), r'4 in all.*got 3: \(3, 5, 5\)'),
        (dict(depth=50, kernel_size=(3, 5, 5, 0)), 'positive odd integer.*got 0'),
        (
            dict(
                depth=50,
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=(2,),
                kernel_size=(3, 5, 5, 7),
            ),
            'one a stage, 3 in all, got 4',
        ),
        (
            dict(
                depth=50,
                plugins=[dict(cfg=dict(type='mmdet.ECALayer'), position='after_conv3')],
            ),
            "both as attention and as a plugin called 'eca'",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with torch.device('meta'), pytest.raises(UserError, match=message):
        ECAResNet(**arguments)
