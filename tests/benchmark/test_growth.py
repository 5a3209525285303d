import json

import pytest
import torch

from mmdet_eca.benchmark.memory import saved_bytes
from mmdet_eca.benchmark.rows import build_row
from mmdet_eca.benchmark.steps import Step, make_batch
from tests.tools.in_process import call, mistake

NARROW = '@backbone.base_channels=16@in_channels=512'
ROWS = [f'configs/imagenet/{name}.py{NARROW}' for name in ('resnet50', 'eca_resnet50')]


@pytest.fixture(scope='module')
def steps():
    return [Step(build_row(row, False)) for row in ROWS]


def saved(step, *shape):
    return saved_bytes(step, make_batch(step.model, torch.rand(shape)))


def test_saved_memory_is_proportional_to_the_pixels(steps):
    """For plain and for ours: both are 4 images of 64x64. What does not grow with the
    pixels are the statistics of the norms, and with the image alone the gates."""
    for step in steps:
        one = saved(step, 1, 3, 64, 64)
        assert saved(step, 4, 3, 64, 64) == pytest.approx(4 * one, rel=0.05)
        assert saved(step, 1, 3, 128, 128) == pytest.approx(4 * one, rel=0.05)
        assert saved(step, 1, 3, 64, 256) == pytest.approx(4 * one, rel=0.05)


def test_ours_saves_what_plain_saves(steps):
    for shape in ((2, 3, 64, 64), (4, 3, 128, 128)):
        plain, ours = (saved(step, *shape) for step in steps)
        assert ours == pytest.approx(plain, rel=0.05)


def test_tool_measures_both_ways_to_grow(tmp_path, capsys):
    call(
        'benchmark',
        'growth',
        *ROWS,
        '--sides',
        32,
        64,
        '--batch-sizes',
        2,
        4,
        '--size',
        32,
        64,
        '--batch-size',
        3,
        '--rounds',
        1,
        '--out',
        tmp_path,
    )
    results = json.loads((tmp_path / 'growth.json').read_text())
    assert [
        (r['axis'], r['batch_size'], r['height'], r['width'], r['pixels'])
        for r in results
        if r['row'] == ROWS[0]
    ] == [
        ('image size', 3, 32, 32, 3072),
        ('image size', 3, 64, 64, 12288),
        ('batch size', 2, 32, 64, 4096),
        ('batch size', 4, 32, 64, 8192),
    ]
    plain, ours = results[2:4]  # 3 images of 64x64
    assert (plain['row'], ours['row']) == tuple(ROWS)
    assert plain['training step']['ratios'] == [1]
    printed = capsys.readouterr().out
    ratio = ours['saved activations'] / plain['saved activations']
    assert f'{ratio:.3f}' in printed
    megapixel = plain['saved activations'] / 2**20 / 12288 * 1e6
    assert f' {megapixel:.0f} ' in printed
    assert (tmp_path / 'growth.txt').read_text().strip() in printed
    assert (tmp_path / 'growth.png').stat().st_size > 10000
    assert '3 x 64x64' in (tmp_path / 'growth.md').read_text()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--sides', 64, 0), 'size must be at least 1, got 0'),
        (('--batch-sizes', -2), 'batch_size must be at least 1, got -2'),
        (('--rounds', 0), 'rounds must be at least 1, got 0'),
    ],
)
def test_mistakes_are_one_line(options, message, tmp_path):
    assert message in mistake('benchmark', 'growth', *options, '--out', tmp_path)
