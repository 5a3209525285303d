"""The backbones with the other systems of ECA-Net's Table 3: counts, places, sizes."""

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import AAResNet, AugmentedConv2d, UserError
from mmdet_eca.models.backbones.attention_weights import LAYERS
from tests.models.backbones.every_backbone import IN_SOME_BLOCKS
from tests.models.backbones.every_backbone import build as build_small

SCSE = dict(type='AttentionResNet', attention=dict(type='SCSE', ratio=16))
THREE_BLOCKS = ((), (3,), (5,), (2,))
EXTENT = dict(type='GEResNet', variant='theta', extent=8)
SYSTEMS = [
    dict(type='CBAMResNet'),
    dict(type='GEResNet'),
    dict(type='GEResNet', extent=8),
    EXTENT,
    dict(type='GEResNet', variant='theta+', extent=8),
    dict(type='A2ResNet'),
    dict(type='GSoPResNet'),
    dict(type='AAResNet'),
    dict(type='GCResNet'),
    dict(type='NonLocalResNet'),
    SCSE,
]


def build(cfg, **more):
    """The network of full width, without memory."""
    with torch.device('meta'):
        return MODELS.build({'depth': 50, **cfg, **more})


@pytest.mark.parametrize(
    ('cfg', 'r50', 'r101'),
    [
        (dict(type='SEResNet'), 28_071_976, 49_292_328),
        (dict(type='SEResNet', bias=True), 28_088_024, 49_326_872),
        (dict(type='CBAMResNet'), 28_089_624, 49_330_172),
        (dict(type='CBAMResNet', bias=False), 28_073_576, 49_295_628),
        (dict(type='GEResNet'), 25_557_032, 44_549_160),
        (
            dict(type='GEResNet', variant='theta', image_size=224),
            31_106_600,
            53_545_512,
        ),
        (dict(EXTENT, extent=2), 25_723_176, 44_906_792),
        (dict(EXTENT, extent=4), 25_889_320, 45_264_424),
        (EXTENT, 26_055_464, 45_622_056),
        (
            dict(type='GEResNet', variant='theta+', image_size=224),
            33_637_592,
            58_323_224,
        ),
        (dict(type='A2ResNet'), 32_911_400, None),
        (dict(type='A2ResNet', ratio=4), 29_238_312, None),
        (dict(type='GSoPResNet'), 28_285_224, 47_277_352),
        (dict(type='GSoPResNet', attention_blocks=THREE_BLOCKS), 28_054_440, None),
        (dict(type='AAResNet'), 25_813_872, 45_391_208),
        (dict(type='GCResNet'), 28_078_773, 49_337_222),
        (dict(type='GCResNet', stages=True), 28_105_032, 49_363_481),
        (dict(type='GCResNet', ratio=4), 35_557_941, 63_510_854),
        (dict(SCSE, attention=dict(type='SCSE')), 45_714_360, None),
        (SCSE, 28_103_144, None),
    ],
    ids=str,
)
def test_parameters_with_a_classifier_of_1000_classes(cfg, r50, r101):
    """As counted by hand from the published structures."""
    for depth, expected in ((50, r50), (101, r101)):
        if expected is not None:
            own = sum(weight.numel() for weight in build(cfg, depth=depth).parameters())
            assert own + 2048 * 1000 + 1000 == expected


def test_parameters_of_the_three_blocks_of_gsop_in_resnet101():
    """Those of four blocks without the first: 641 C + 66,688, C = 256."""
    cfg = dict(type='GSoPResNet', attention_blocks=((), (3,), (22,), (2,)))
    own = sum(weight.numel() for weight in build(cfg, depth=101).parameters())
    assert own + 2049000 == 47_046_568 == 47_277_352 - 641 * 256 - 66_688


def test_parameters_of_the_non_local_block():
    """Three 1x1 convolutions to half of 1024 channels and one back, with biases; the
    published 27.66 M have no norm after the last."""
    own = sum(w.numel() for w in build(dict(type='NonLocalResNet')).parameters())
    block = 3 * (1024 * 512 + 512) + 512 * 1024 + 1024
    assert own + 2049000 == 25_557_032 + block == 27_656_744


def places(backbone):
    return [name for name, m in backbone.named_modules() if isinstance(m, LAYERS)]


def in_blocks(name, *stages):
    """Names of a layer in these blocks, by stage."""
    return [
        f'layer{stage}.{block}.{name}'
        for stage, blocks in zip((1, 2, 3, 4), stages)
        for block in blocks
    ]


@pytest.mark.parametrize(('depth', 'c4'), [(50, 6), (101, 23)])
def test_places(depth, c4):
    blocks = (range(3), range(4), range(c4), range(3))
    units = ['layer2.a2_1', 'layer2.a2_3', 'layer3.a2_1', 'layer3.a2_3', 'layer3.a2_5']
    last = ([2], [3], [c4 - 1], [2])
    for cfg, expected in (
        (dict(type='CBAMResNet'), in_blocks('cbam', *blocks)),
        (dict(type='GEResNet'), in_blocks('ge', *blocks)),
        (SCSE, in_blocks('scse', *blocks)),
        (dict(type='GSoPResNet'), in_blocks('gsop', *last)),
        (dict(type='A2ResNet'), units),
        (dict(type='AAResNet'), in_blocks('conv2', [], *blocks[1:])),
        (dict(type='GCResNet'), in_blocks('context_block', [], *blocks[1:])),
        (dict(type='NonLocalResNet'), ['layer3.nonlocal_block']),
    ):
        assert places(build(cfg, depth=depth)) == expected


def test_a_unit_follows_its_block():
    names = [name for name, _ in build(dict(type='A2ResNet')).layer2.named_children()]
    assert names == ['0', '1', 'a2_1', '2', '3', 'a2_3']


@pytest.mark.parametrize('size', [(97, 131), (800, 1344)])
@pytest.mark.parametrize('cfg', SYSTEMS, ids=str)
def test_images_of_any_size(cfg, size):
    backbone = build(cfg).eval()
    outs = backbone(torch.empty(1, 3, *size, device='meta'))
    assert [tuple(out.shape) for out in outs] == [
        (1, channels, -(-size[0] // stride), -(-size[1] // stride))
        for channels, stride in ((256, 4), (512, 8), (1024, 16), (2048, 32))
    ]


@pytest.mark.parametrize('size', [1, 33])
@pytest.mark.parametrize(
    'name', [*IN_SOME_BLOCKS, 'CBAMResNet', 'GEResNet extent', 'AttentionResNet SCSE']
)
def test_images_of_few_pixels(name, size):
    backbone = build_small(name)
    for out in backbone(torch.randn(1, 3, size, size)):
        assert out.isfinite().all()
        assert out.shape[2:] == ((1, 1) if size == 1 else out.shape[2:])


def test_three_stages_as_in_a_c4_detector():
    strides, dilations = (1, 2, 2), (1, 1, 1)
    for cfg in SYSTEMS:
        backbone = build(
            cfg, num_stages=3, strides=strides, dilations=dilations, out_indices=(2,)
        )
        out = backbone.eval()(torch.empty(1, 3, 64, 64, device='meta'))
        assert [o.shape for o in out] == [(1, 1024, 4, 4)]


@pytest.mark.parametrize('cfg', SYSTEMS, ids=str)
def test_frozen_stages_and_stored_statistics(cfg):
    for frozen in range(5):
        backbone = build(cfg, frozen_stages=frozen).train()
        for name, weight in backbone.named_parameters():
            stage = int(name[5]) if name.startswith('layer') else 0
            assert weight.requires_grad == (stage > frozen), name
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    backbone = build(cfg, frozen_stages=1, norm_eval=False).train()
    for name, module in backbone.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            stage = int(name[5]) if name.startswith('layer') else 0
            assert module.training == (stage > 1), name


def test_gsops_classifier_keeps_the_last_stages_resolution():
    backbone = build(dict(type='GSoPResNet', strides=(1, 2, 2, 1)))
    outs = backbone(torch.empty(1, 3, 224, 224, device='meta'))
    assert [out.shape[2] for out in outs] == [56, 28, 14, 14]


def test_kernels_follow_the_strides_of_the_stages():
    """GE-theta's are as large as the maps, here of a dilated C5."""
    cfg = dict(type='GEResNet', variant='theta', image_size=(160, 224))
    backbone = build(cfg, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    kernels = [
        tuple(getattr(backbone, f'layer{i}')[0].ge.gather[0].kernel_size)
        for i in range(1, 5)
    ]
    assert kernels == [(40, 56), (20, 28), (10, 14), (10, 14)]
    outs = backbone(torch.empty(2, 3, 160, 224, device='meta'))
    assert [tuple(out.shape[2:]) for out in outs] == kernels


def test_an_image_of_another_size_than_the_kernels_is_refused():
    backbone = build(dict(type='GEResNet', variant='theta', image_size=224))
    for size in (64, 800):
        with pytest.raises(UserError, match=r'GE-theta.*\(56, 56\), got.*extent=8'):
            backbone(torch.empty(1, 3, size, size, device='meta'))


def test_augmented_convolutions_keep_strides_and_dilations():
    arguments = dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    backbone = build(dict(type='AAResNet'), **arguments)
    plain = build(dict(type='ResNet'), **arguments)
    augmented = 0
    for name, module in backbone.named_modules():
        if isinstance(module, AugmentedConv2d):
            own, conv = module.conv, plain.get_submodule(name)
            assert (own.stride, own.dilation, own.padding) == (
                conv.stride,
                conv.dilation,
                conv.padding,
            )
            augmented += 1
    assert augmented == 13


def test_attention_over_large_maps_is_over_few_positions():
    """At 800x1344 the maps of c3 have 100 x 168 positions: 8.4 GiB of logits in
    float32, 34 MiB once they are pooled twice. Those of c5 are not pooled."""
    backbone = build(dict(type='AAResNet')).eval()
    positions = []
    for number in (2, 3, 4):
        conv = getattr(backbone, f'layer{number}')[1].conv2
        conv.qkv.register_forward_hook(
            lambda module, inputs, out: positions.append(tuple(out.shape[2:]))
        )
    backbone(torch.empty(1, 3, 800, 1344, device='meta'))
    assert positions == [(25, 42), (25, 42), (25, 42)]
    assert pytest.approx(8.4, abs=0.05) == 8 * (100 * 168) ** 2 * 4 / 2**30
    assert pytest.approx(34, abs=0.5) == 8 * (25 * 42) ** 2 * 4 / 2**20


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (dict(type='CBAMResNet', depth=49), 'depth must be one of .* got 49'),
        (dict(type='CBAMResNet', ratio=512), 'ratio .* 256 channels, got 512'),
        (dict(type='CBAMResNet', ratio=True), 'ratio .* positive integer, got True'),
        (dict(type='A2ResNet', ratio=0.5), 'ratio .* positive integer, got 0.5'),
        (dict(type='A2ResNet', ratio=1024), 'ratio .* 512 channels, got 1024'),
        (dict(type='A2ResNet', depth=18), 'units_after names block 3 of stage 2'),
        (
            dict(type='A2ResNet', units_after=((), (1,), (), (True,))),
            'units_after names block True of stage 4, which has blocks 0 to 2',
        ),
        (dict(type='A2ResNet', units_after=(1, 3)), 'units_after .* got \\(1, 3\\)'),
        (dict(type='GSoPResNet', width=2.5), 'width .* positive integer, got 2.5'),
        (
            dict(type='GSoPResNet', attention_blocks='first'),
            "attention_blocks must be 'all', 'last', .* got 'first'",
        ),
        (
            dict(type='GSoPResNet', attention_blocks=((2,), (3,), (5,))),
            'attention_blocks must be .* 4 stages',
        ),
        (
            dict(type='GSoPResNet', attention_blocks=((3,), (), (), ())),
            'names block 3 of stage 1, which has blocks 0 to 2',
        ),
        (
            dict(type='GSoPResNet', attention_blocks=((-1,), (), (), ())),
            'names block -1 of stage 1',
        ),
        (
            dict(type='GSoPResNet', attention_blocks=((), (1.0,), (), ())),
            'names block 1.0 of stage 2',
        ),
        (dict(type='GSoPResNet', attention_blocks=3), 'attention_blocks .* got 3'),
        (dict(type='GEResNet', variant='theta*'), "variant .* got 'theta\\*'"),
        (dict(type='GEResNet', extent=16), 'extent must be one of .* got 16'),
        (dict(type='GEResNet', extent=2.0), 'extent must be one of .* got 2.0'),
        (dict(type='GEResNet', variant='theta'), 'image_size is missing.*extent=8'),
        (
            dict(type='GEResNet', variant='theta', image_size=0),
            'image_size must be a positive integer, got 0',
        ),
        (
            dict(type='GEResNet', variant='theta', image_size='224'),
            "image_size must be .* two, height and width, got '224'",
        ),
        (
            dict(type='AAResNet', image_size=(3, 800, 1344)),
            'image_size must be .* two, .* got \\(3, 800, 1344\\)',
        ),
        (
            dict(type='AAResNet', image_size=(800, 1344.0)),
            'image_size must be a positive integer, got 1344.0',
        ),
        (dict(type='AAResNet', depth=18), 'depth must be 50, 101 or 152, got 18'),
        (dict(type='AAResNet', heads=7), '128 channels with k=0.2 and v=0.1.*heads=7'),
        (dict(type='AAResNet', heads=8.0), 'heads .* positive integer, got 8.0'),
        (dict(type='AAResNet', v='0.1'), "v must be a positive number, got '0.1'"),
        (dict(type='AAResNet', max_positions=0), 'max_positions .* got 0'),
        (dict(type='AAResNet', base_channels=16), '32 channels with k=0.2 and v=0.1'),
        (dict(type='AAResNet', stages=(2, 3, 4, 5)), 'stages must say True or False'),
        (dict(type='GCResNet', stages='c3-c5'), "stages .* got 'c3-c5'"),
        (dict(type='GCResNet', stages=(False, True)), 'stages .* one a stage, 4'),
        (dict(type='GCResNet', ratio=1 / 16), 'ratio .* positive integer, got 0.0625'),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(cfg, message):
    with pytest.raises(UserError, match=message):
        build(cfg)


def test_other_layers_in_place_of_the_convolutions_are_refused():
    dcn = dict(type='DCN', deform_groups=1, fallback_on_stride=False)
    deformable = dict(dcn=dcn, stage_with_dcn=(False, False, False, True))
    with pytest.raises(UserError, match='stage 4 has DeformConv2dPack .*leave dcn'):
        AAResNet(50, **deformable)
    backbone = AAResNet(50, stages=(False, True, True, False), **deformable)
    assert len(places(backbone)) == 10


@pytest.mark.parametrize('name', [*IN_SOME_BLOCKS, 'CBAMResNet', 'GEResNet extent'])
def test_a_checkpoint_of_another_system_is_refused(name):
    plain = MODELS.build(dict(type='AttentionResNet', depth=50, base_channels=16))
    with pytest.raises(UserError, match='that this AttentionResNet has no place for'):
        plain.load_state_dict(build_small(name).state_dict(), strict=False)
