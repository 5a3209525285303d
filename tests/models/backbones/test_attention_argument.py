"""Which attention a backbone has: one for all stages, one each, none, a wrong one."""

import copy

import mmdet.models.backbones
import pytest
import torch
from mmengine.config import ConfigDict
from torch.utils.flop_counter import FlopCounterMode

import mmdet_eca
from mmdet_eca import AttentionResNet, ECALayer, ECAResNet, SqueezeExcitation, UserError
from tests.models.backbones.every_backbone import (
    IMAGES,
    NEXT,
    SMALL,
    assert_same,
    attention_layers,
    build,
)


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
])  # fmt: skip
def test_without_attention_it_is_mmdets_backbone(attention, plain, arguments):
    plain = getattr(mmdet.models.backbones, plain)(**copy.deepcopy(arguments))
    plain.eval()
    backbone = getattr(mmdet_eca, attention)(**copy.deepcopy(arguments)).eval()
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
        backbone = getattr(mmdet_eca, name)(depth)
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
        (dict(type='zzz'), 'near ones are CBAM, DoubleAttention, ECALayer, ECANon'),
        (dict(type='ContextBlock', ratio=0.5), 'is no AttentionLayer.*plugins'),
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
