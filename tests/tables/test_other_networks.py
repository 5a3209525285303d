"""The other networks of Table 4, against counts by the shapes of their layers."""

import pytest

from mmdet_eca.tables.other_networks import network_rows, network_text
from mmdet_eca.tables.paper_rows import load_network_rows

RESNET200 = (3, 24, 36, 3)
RESNET101 = (3, 4, 23, 3)


@pytest.fixture(scope='module')
def rows():
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


def squeeze_excitation(blocks):
    return sum(
        number * 2 * c * c // 16 for number, c in zip(blocks, (256, 512, 1024, 2048))
    )


RESNEXT101 = resnet(RESNET101, (128, 256, 512, 1024), groups=32)


@pytest.mark.parametrize(
    ('row', 'parameters'),
    [
        (('ResNet-200', 'ResNet-200'), resnet(RESNET200)),
        (('ResNeXt-101', 'ResNeXt-101 32x4d'), RESNEXT101),
        (
            ('ResNeXt-101', 'SE-ResNeXt-101 32x4d'),
            RESNEXT101 + squeeze_excitation(RESNET101),
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
def test_parameters_are_those_of_the_formula(row, parameters, rows):
    assert rows[row]['params'] == parameters


def test_the_papers_resnext_has_squeeze_and_excitation(rows):
    plain = rows['ResNeXt-101', 'ResNeXt-101 32x4d']
    with_se = rows['ResNeXt-101', 'SE-ResNeXt-101 32x4d']
    assert with_se['params'] == 48_920_872
    assert with_se['agrees'] and not plain['agrees']
    assert plain['diff_params_m'] == pytest.approx(44_177_704 / 2**20 - 46.66)


def test_what_differs_from_the_paper_has_a_note(rows):
    networks = [row.model for row in load_network_rows()]
    assert list(dict.fromkeys(name for name, _ in rows)) == networks
    for (name, _), row in rows.items():
        assert row['agrees'] or row['note'], name
    assert not rows['ResNet-200', 'ResNet-200']['agrees']


def test_table_says_what_is_not_counted_here(rows):
    lines = network_text(list(rows.values())).splitlines()
    (inception,) = (line for line in lines if line.startswith('| Inception-v3'))
    cells = [cell.strip() for cell in inception.strip('|').split('|')]
    assert cells[2:] == [
        'torchvision', '25.90', '25.90', '+0.00', '-', '5.36', '-', 'yes',
        '77.45', '93.56',
    ]  # fmt: skip
    assert any(line.startswith('ResNet-200: ') and '320x320' in line for line in lines)
