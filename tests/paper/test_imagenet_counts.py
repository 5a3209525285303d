"""Tables 2 to 4, against counts by the shapes of the layers."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import config_path
from mmdet_eca.paper import complexity_text, paper_rows
from mmdet_eca.paper.attention_counts import attention_layer_rows
from mmdet_eca.paper.classifier_counts import (
    EXPLANATIONS,
    TOLERANCE,
    classifier_rows,
    count_classifier,
    network_rows,
)

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
PLAIN = {50: 25_557_032, 101: 44_549_160}  # torchvision's
CHANNELS = (256, 512, 1024, 2048)


def added(depth, per_block, stages=(0, 1, 2, 3)):
    """Sums ``per_block`` over all blocks, by the channels at their end."""
    return sum(BLOCKS[depth][i] * per_block(CHANNELS[i]) for i in stages)


def squeeze_excitation(c):
    return 2 * c * c // 16


def cbam(c):
    """Two layers with biases, the 7x7 convolution of two maps, its norm."""
    return squeeze_excitation(c) + c // 16 + c + 98 + 2


def double_attention(c):
    """Three convolutions to C / 2 with biases, one back without, a norm."""
    return 3 * (c * c // 2 + c // 2) + c * c // 2 + 2 * c


def global_context(c):
    """A mask, and two layers to C / 16 and back around a norm, with biases."""
    width = c // 16
    return (c + 1) + (c * width + width) + 2 * width + (width * c + c)


def second_order(c):
    """C to 128, norms of 128 channels and 128 rows, 4 filters a row, 512 to C."""
    return c * 128 + 128 + 2 * 256 + (512 * 128 + 512) + (512 * c + c)


def augmentation(c):
    """A 3x3 of F channels loses dv of them, and gains keys, queries and values."""
    f, size = c // 4, 28 * 512 // c
    dv = {128: 8, 256: 24, 512: 48}[f]
    return -9 * f * dv + f * (2 * 160 + dv) + dv**2 + 2 * (2 * size - 1) * 20


def gather(c, size=56):
    """A kernel as large as the map, 56x56 in c2, and a norm."""
    return c * (size * 256 // c) ** 2 + 2 * c


def gather_and_excite(c):
    return gather(c) + squeeze_excitation(c) + c // 16 + c


@pytest.fixture(scope='module')
def rows():
    return {row['name']: row for row in classifier_rows()}


@pytest.mark.parametrize(
    ('name', 'more'),
    [
        ('se_resnet50', added(50, squeeze_excitation)),
        ('se_resnet101', added(101, squeeze_excitation)),
        ('cbam_resnet50', added(50, cbam)),
        ('cbam_resnet101', added(101, cbam)),
        ('a2_resnet50', 2 * double_attention(512) + 3 * double_attention(1024)),
        ('gc_resnet50', added(50, global_context, (1, 2, 3))),
        ('gsop_resnet50', sum(map(second_order, CHANNELS))),
        ('aa_resnet50', added(50, augmentation, (1, 2, 3))),
        ('aa_resnet101', added(101, augmentation, (1, 2, 3))),
        ('eca_resnet50', 3 * 3 + 4 * 5 + 6 * 5 + 3 * 7),
        ('eca_resnet101', 3 * 3 + 4 * 3 + 23 * 5 + 3 * 7),
    ],
)
def test_parameters_are_those_of_the_formula(name, more, rows):
    assert rows[name]['params'] == PLAIN[int(name.partition('resnet')[2])] + more


@pytest.mark.parametrize(
    ('name', 'more'),
    [
        ('ge_theta_minus_resnet50', 0),
        ('ge_theta_resnet50', added(50, gather)),
        ('ge_theta_plus_resnet50', added(50, gather_and_excite)),
    ],
)
def test_gather_excite_has_the_parameters_of_the_formula(name, more):
    assert count_classifier(name).parameters == PLAIN[50] + more


def test_every_row_is_within_a_hundredth_of_the_paper_or_explained(rows):
    assert list(rows) == [row.name for row in paper_rows([3])]
    far = {
        name
        for name, row in rows.items()
        if abs(row['params_m'] - row['paper_params_m']) > TOLERANCE
        or abs(row['gflops'] - row['paper_gflops']) > TOLERANCE
    }
    assert far == {name for name, row in rows.items() if row['note']}
    assert far == set(EXPLANATIONS)


@pytest.mark.parametrize(
    ('name', 'counted'),
    [  # with the changes of the explanation, as the paper prints them
        ('cbam_resnet50', '26.77 and 3.86'),
        ('cbam_resnet101', '47.01 and 7.35'),
        ('gsop_resnet50', '28.05 and 6.18'),
    ],
)
def test_explanations_come_to_the_papers_figures(name, counted, rows):
    assert counted in rows[name]['note']
    assert rows[name]['paper_params_m'] == float(counted.split()[0])


def operations(depth, caffe=True, sizes=(56, 28, 14, 7)):
    """Multiply-adds of a ResNet; Caffe's halves the map in the first convolution."""
    total = 7 * 7 * 3 * 64 * 112**2 + 2048 * 1000
    c_in, size_in = 64, 56
    for c, blocks, size in zip(CHANNELS, BLOCKS[depth], sizes):
        width = c // 4
        for _ in range(blocks):
            total += c_in * width * (size if caffe else size_in) ** 2
            total += (9 * width * width + width * c) * size**2
            if c_in != c:
                total += c_in * c * size**2  # the shortcut
            c_in, size_in = c, size
    return total


def context(c, positions):
    """Logits and weighted mean of all positions, two layers."""
    return 2 * c * positions + 2 * c * c // 16


def attend_twice(c, positions):
    """Four convolutions and two products of activations."""
    return (4 * c * c // 2 + 2 * (c // 2) ** 2) * positions


def augment(depth):
    return sum(
        blocks * (-9 * f * dv + f * (320 + dv) + dv * dv) * size**2
        for blocks, f, dv, size in zip(
            BLOCKS[depth][1:], (128, 256, 512), (8, 24, 48), (28, 14, 7)
        )
    )


@pytest.mark.parametrize(
    ('name', 'operations'),
    [
        (
            'gc_resnet50',
            operations(50)
            + 4 * context(512, 28**2)
            + 6 * context(1024, 14**2)
            + 3 * context(2048, 7**2),
        ),
        (
            'a2_resnet50',
            operations(50)
            + 2 * attend_twice(512, 28**2)
            + 3 * attend_twice(1024, 14**2),
        ),
        (
            'gsop_resnet50',  # the first and the last of its maps are of other sizes
            operations(50, sizes=(56, 28, 14, 14))
            + sum(
                c * 128 * size**2 + 512 * 128 + 512 * c
                for c, size in zip(CHANNELS, (28, 28, 14, 14))
            ),
        ),
        ('aa_resnet50', operations(50, caffe=False) + augment(50)),
        ('aa_resnet101', operations(101, caffe=False) + augment(101)),
    ],
)
def test_operations_of_copied_rows_are_those_of_the_formula(name, operations, rows):
    assert rows[name]['operations'] == operations


def test_table_shows_both_units_and_the_explanations(rows):
    lines = complexity_text(list(rows.values())).splitlines()
    cells = {line.split()[1]: line.split()[1::2] for line in lines if '|' in line}
    assert cells['gc_resnet50'] == [
        'gc_resnet50', '28.08', '26.78', '28.08', '10^6', '-0.00',
        '3.87', '3.60', '3.87', '10^9', '-0.00',
    ]  # fmt: skip
    assert cells['se_resnet50'][1:6] == ['28.07', '26.77', '26.77', '2^20', '+0.00']
    for name in EXPLANATIONS:
        assert sum(line.startswith(f'{name}: ') for line in lines) == 1


@pytest.mark.parametrize(
    ('name', 'operations'), [('mobilenetv2', 319.4), ('eca_mobilenetv2', 319.9)]
)
def test_mobilenets_have_the_papers_columns(name, operations, rows):
    """The operations in 2^20."""
    counted = rows[name]
    assert round(counted['params'] / 2**20, 2) == 3.34
    assert round(counted['operations'] / 2**20, 1) == operations


WEIGHTS = {  # by Table 2
    'SE': lambda c: 2 * c**2 // 16,
    'SE-Var1': lambda c: 0,
    'SE-Var2': lambda c: c,
    'SE-Var3': lambda c: c**2,
    'SE-GC1': lambda c: c**2 // 16,
    'SE-GC2': lambda c: 16 * c,
    'SE-GC3': lambda c: 8 * c,
    'ECA-NS': lambda c: 3 * c,
    'ECA': lambda c: 3,
}


@pytest.fixture(scope='module')
def members():
    return {row['name']: row for row in attention_layer_rows()}


@pytest.mark.parametrize('name', WEIGHTS)
def test_counts_are_those_of_the_formula(name, members):
    """Each weight is used once, those that ECA shares once a channel."""
    row, weights = members[name], WEIGHTS[name]
    uses = [c if name == 'ECA' else 1 for c in CHANNELS]
    operations = [weights(c) * n for c, n in zip(CHANNELS, uses)]
    assert row['params'] == [weights(c) for c in CHANNELS]
    assert row['operations'] == operations
    assert row['resnet50_operations'] == sum(
        blocks * number for blocks, number in zip(BLOCKS[50], operations)
    )


@pytest.mark.parametrize('name', WEIGHTS)
def test_resnet50_has_as_many_weights_more(name, members):
    backbone = Config.fromfile(
        config_path(f'imagenet/{members[name]["config"]}.py')
    ).model.backbone
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        with_attention, plain = (
            sum(p.numel() for p in MODELS.build(cfg).parameters())
            for cfg in (backbone, dict(type='ResNet', depth=50))
        )
    assert members[name]['resnet50_params'] == with_attention - plain


RESNET200 = (3, 24, 36, 3)
RESNET101 = (3, 4, 23, 3)


@pytest.fixture(scope='module')
def networks():
    return {(row['name'], row['counted']): row for row in network_rows()}


def densenet(blocks, growth, channels):
    """Parameters of a DenseNet with bottlenecks; ``channels`` of its stem."""
    total = 3 * channels * 49 + 2 * channels
    for number, layers in enumerate(blocks, 1):
        for _ in range(layers):
            width = 4 * growth
            total += 2 * channels + channels * width + 2 * width + 9 * width * growth
            channels += growth
        if number < len(blocks):  # the transition halves the channels
            total += 2 * channels + channels * channels // 2
            channels //= 2
    return total + 2 * channels + (channels + 1) * 1000


def resnet(blocks, widths=(64, 128, 256, 512), groups=1):
    """Parameters of a ResNet or ResNeXt of bottlenecks."""
    total, c_in = 3 * 64 * 49 + 2 * 64 + 2049 * 1000, 64
    for number, width, c in zip(blocks, widths, (256, 512, 1024, 2048)):
        for block in range(number):
            total += c_in * width + 9 * width * width // groups + width * c
            total += 2 * (2 * width + c)  # the norms
            if block == 0:
                total += c_in * c + 2 * c
            c_in = c
    return total


RESNEXT101 = resnet(RESNET101, (128, 256, 512, 1024), groups=32)


@pytest.mark.parametrize(
    ('row', 'parameters'),
    [
        (('ResNet-200', 'ResNet-200'), resnet(RESNET200)),
        (('ResNeXt-101', 'ResNeXt-101 32x4d'), RESNEXT101),
        (
            ('ResNeXt-101', 'SE-ResNeXt-101 32x4d'),
            RESNEXT101 + added(101, squeeze_excitation),
        ),
        (
            ('DenseNet-161 (k=48)', 'DenseNet-161'),
            densenet((6, 12, 36, 24), growth=48, channels=96),
        ),
        (
            ('DenseNet-264 (k=32)', 'DenseNet-264'),
            densenet((6, 12, 64, 48), growth=32, channels=64),
        ),
        (('ECA-Net101', 'eca_resnet101'), resnet(RESNET101) + 9 + 12 + 23 * 5 + 21),
    ],
)
def test_parameters_of_other_networks_are_those_of_the_formula(
    row, parameters, networks
):
    assert networks[row]['params'] == parameters


def test_the_papers_resnext_has_squeeze_and_excitation(networks):
    plain = networks['ResNeXt-101', 'ResNeXt-101 32x4d']
    with_se = networks['ResNeXt-101', 'SE-ResNeXt-101 32x4d']
    assert with_se['params'] == 48_920_872
    assert with_se['agrees'] and not plain['agrees']
    assert plain['diff_params_m'] == pytest.approx(44_177_704 / 2**20 - 46.66)


def test_what_differs_from_the_paper_has_a_note(networks):
    names = [row.method for row in paper_rows([4])]
    assert list(dict.fromkeys(name for name, _ in networks)) == names
    for (name, _), row in networks.items():
        assert row['agrees'] or row['note'], name
    assert not networks['ResNet-200', 'ResNet-200']['agrees']
