import pytest

from mmdet_eca import UserError
from mmdet_eca.benchmark import benchmark_tail


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('gpu', "device must be cpu, cuda or cuda:N, got 'gpu'"),
        ('meta', "device must be cpu, cuda or cuda:N, got 'meta'"),
        ('cuda:99', "device 'cuda:99': torch sees \\d+ GPUs here"),
    ],
)
def test_wrong_devices_are_named(name, message):
    with pytest.raises(UserError, match=message):
        benchmark_tail(1, (64, 64), 1, 'nowhere', name)


def test_tail_compares_both_forms_for_every_stage_and_layout(device, tmp_path):
    table = benchmark_tail(2, (64, 96), 1, str(tmp_path), device.type)
    rows = [
        line.strip('|').split('|')
        for line in (tmp_path / 'tail.md').read_text().splitlines()
        if line.startswith('| ')
    ][1:]
    dtypes = ['float32'] + ['float16'] * (device.type == 'cuda')
    assert [[cell.strip() for cell in row[1:4]] for row in rows] == [
        [shape, layout, dtype]
        for dtype in dtypes
        for layout in ('channels_first', 'channels_last')
        for shape in ('2x256x16x24', '2x512x8x12', '2x1024x4x6', '2x2048x2x3')
    ]
    for row in rows:
        first, second, ratio = (float(cell.split()[0]) for cell in row[4:])
        assert ratio == pytest.approx(second / first, abs=0.02 + 0.02 * ratio)
        assert row[6].strip() in table
