"""#Param and FLOPs of Table 3."""

import pytest

from mmdet_eca.tables.classifiers import (
    EXPLANATIONS,
    TOLERANCE,
    classifier_rows,
    classifier_text,
    count_classifier,
)
from mmdet_eca.tables.paper_rows import load_classifier_rows

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
PLAIN = {50: 25_557_032, 101: 44_549_160}  # torchvision's
CHANNELS = (256, 512, 1024, 2048)
# Units of the figures that the paper copied; the others are in 2^20 and 2^30.
COPIED = ['a2_resnet50', 'gc_resnet50', 'gsop_resnet50', 'aa_resnet50', 'aa_resnet101']


def added(depth, per_block, stages=(0, 1, 2, 3)):
    """What attention adds: ``per_block`` of the channels at the end of a block."""
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
    assert list(rows) == [row.name for row in load_classifier_rows()]
    far = {
        name
        for name, row in rows.items()
        if abs(row['params_m'] - row['paper_params_m']) > TOLERANCE
        or abs(row['gflops'] - row['paper_gflops']) > TOLERANCE
    }
    assert far == {name for name, row in rows.items() if row['note']}
    assert far == set(EXPLANATIONS)


def test_figures_are_in_the_units_of_the_paper(rows):
    for name, row in rows.items():
        mega, giga = (1e6, 1e9) if name in COPIED else (2**20, 2**30)
        assert row['params_m'] == pytest.approx(row['params'] / mega, abs=1e-6)
        assert row['gflops'] == pytest.approx(row['operations'] / giga, abs=1e-6)
        assert row['params_unit'] == ('10^6' if name in COPIED else '2^20')
    assert rows['mobilenetv2']['paper_gflops'] * 1024 == pytest.approx(319.4, abs=1e-3)


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


def resnet(depth, caffe=True, sizes=(56, 28, 14, 7)):
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
            resnet(50)
            + 4 * context(512, 28**2)
            + 6 * context(1024, 14**2)
            + 3 * context(2048, 7**2),
        ),
        (
            'a2_resnet50',
            resnet(50) + 2 * attend_twice(512, 28**2) + 3 * attend_twice(1024, 14**2),
        ),
        (
            'gsop_resnet50',  # the first and the last of its maps are of other sizes
            resnet(50, sizes=(56, 28, 14, 14))
            + sum(
                c * 128 * size**2 + 512 * 128 + 512 * c
                for c, size in zip(CHANNELS, (28, 28, 14, 14))
            ),
        ),
        ('aa_resnet50', resnet(50, caffe=False) + augment(50)),
        ('aa_resnet101', resnet(101, caffe=False) + augment(101)),
    ],
)
def test_operations_of_copied_rows_are_those_of_the_formula(name, operations, rows):
    assert rows[name]['operations'] == operations


def test_caffes_resnet_has_the_operations_that_the_systems_papers_give_it():
    assert round(resnet(50) / 1e9, 2) == 3.86


def test_table_shows_both_units_and_the_explanations(rows):
    lines = classifier_text(list(rows.values())).splitlines()
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
