"""What holds for every backbone and every attention in one."""

import copy

import pytest
import torch

from mmdet_eca import UserError
from mmdet_eca.models.backbones.attention_weights import LAYERS
from tests.conftest import every_amp
from tests.models.backbones.every_backbone import (
    BACKBONES,
    IMAGES,
    IN_EVERY_BLOCK,
    assert_same,
    attention_layers,
    build,
    build_short,
)
from tests.models.exporting import export, run_onnx

every_backbone = pytest.mark.parametrize('name', BACKBONES)
# Folded channel attention is one path, whose gates alone differ: two of them. The
# layers of all members compile and export in ../attention/test_family.py.
TRACED = [
    name
    for name in BACKBONES
    if not name.startswith('AttentionResNet ')
    or name.endswith(('SEGroup', 'ECANonShared', 'SCSE'))
]


@pytest.mark.parametrize('name', IN_EVERY_BLOCK)
def test_every_block_has_attention(name):
    backbone = build(name)
    blocks = [m for m in backbone.modules() if hasattr(m, 'attention_name')]
    assert len(blocks) == len(attention_layers(backbone)) > 7
    assert all(block.attention is not None for block in blocks)


@pytest.mark.parametrize('name', TRACED)
def test_compiles_to_one_graph(name, device):
    """Which runs as it was traced: what its operators become, exports show."""
    torch.compiler.reset()  # one compilation cache for all blocks
    backbone, x = build_short(name), torch.randn(IMAGES)
    compiled = torch.compile(backbone, fullgraph=True, backend='eager')
    with torch.no_grad():
        assert_same(compiled(x), backbone(x))


@pytest.mark.parametrize('name', TRACED)
def test_exports(name):
    backbone, x = build_short(name), torch.randn(IMAGES)
    assert_same(export(backbone, x)(x), backbone(x))


@pytest.mark.parametrize(
    'name', ['ECAResNetV1d', 'ECAResNeXt', 'ECAMobileNetV2', 'GSoPResNet', 'AAResNet']
)
def test_onnx_gives_the_same_output(name):
    """ECAResNet: test_eca_resnet.py; each member: ../attention/test_family.py."""
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
    as far off as layer by layer under the same autocast, at most half more, or a few
    roundings."""
    scale = 2.0**16 if dtype == torch.float16 else 1.0
    gradients = {}
    for folded, amp in ((True, True), (False, True), (False, False)):
        torch.manual_seed(0)
        options = dict(folded=folded) if 'ResNe' in name else {}
        backbone = build(name, **options)
        x = torch.randn(IMAGES)
        with torch.autocast(device.type, dtype, enabled=amp):
            outs = backbone(x)
        loss = sum(out.float().square().mean() for out in outs)
        (scale * loss).backward()
        gradients[folded, amp] = (
            torch.cat([p.grad.flatten() for p in backbone.parameters()]) / scale
        )
    truth = gradients[False, False]
    of_folded, of_direct = (
        (gradients[folded, True] - truth).norm() / truth.norm()
        for folded in (True, False)
    )
    assert of_folded <= max(1.5 * of_direct, 4 * torch.finfo(dtype).eps)
    assert of_direct < 0.1


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


# mmcv's non-local block has no empty batches.
@pytest.mark.parametrize('name', sorted(BACKBONES.keys() - {'NonLocalResNet'}))
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
    own = [
        f'{name}.{key}'
        for name, module in backbone.named_modules()
        if isinstance(module, LAYERS)
        for key in module.state_dict()
        if not key.endswith('num_batches_tracked')
    ]
    for missing in own[-1:]:
        del state[missing]
        with pytest.raises(UserError, match="lacks 'layer.* of the attention of this"):
            build(name).load_state_dict(state, strict=False)
