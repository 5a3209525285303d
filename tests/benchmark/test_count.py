"""Operations and bytes on a GPU, counted without one."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmdet_eca.benchmark.count import FROM_SCRATCH, _Counter, count_step
from tests.tools.in_process import call

PLAIN = 'configs/mask_rcnn_r50_fpn_1x.py'
ECA = 'configs/mask_rcnn_eca_r50_fpn_1x.py'
SETTINGS = {
    'fine-tuning': ('', (2, 3, 800, 1344), True),
    'inference': ('', (1, 3, 800, 1344), False),
    'from scratch': (FROM_SCRATCH, (64, 3, 224, 224), True),
}


def test_plain_inference_is_its_layers():
    """ResNet-50 has convolutions, norms, ReLUs, additions and the pooling."""
    ((operations, _),) = count_step(PLAIN, (1, 3, 64, 64), False)
    assert operations == 53 + 53 + 49 + 16 + 1


@pytest.mark.parametrize(
    ('run', 'operations', 'maps'),
    [
        (lambda x: x.relu(), 1, 2),
        (lambda x: x.relu_(), 1, 2),
        (lambda x: x.view(-1).detach()[3:], 0, 0),
        (lambda x: x[:, :1].expand_as(x).mul(2), 1, 1.25),
        (lambda x: torch.cat([x, x]), 1, 4),
        (lambda x: F.batch_norm(x, None, None, training=True), 1, 3),
    ],
    ids=['relu', 'in_place', 'views', 'expanded', 'cat', 'batch_statistics'],
)
def test_operators(run, operations, maps):
    counter, x = _Counter(), torch.randn(2, 4, 32, 32)
    with counter:
        run(x)
    assert counter.operations == operations
    assert counter.bytes == pytest.approx(maps * 4 * x.numel(), rel=0.01)


def test_a_bias_and_each_gradient_are_an_operation():
    counter, x = _Counter(), torch.randn(2, 4, 32, 32, requires_grad=True)
    conv = nn.Conv2d(4, 4, kernel_size=1)
    with counter:
        out = conv(x)
    assert counter.operations == 2
    assert counter.bytes == pytest.approx(4 * 4 * x.numel(), rel=0.01)
    counter, grad = _Counter(), torch.randn_like(x)
    with counter:
        out.backward(grad)
    assert counter.operations == 3


@pytest.mark.parametrize('amp', [None, torch.bfloat16], ids=['float32', 'autocast'])
@pytest.mark.parametrize('setting', SETTINGS)
def test_eca_takes_no_more_bytes_than_the_plain_network(setting, amp):
    """And at most 1.3 of its operations; the authors' form takes more of both."""
    options, *rest = SETTINGS[setting]
    plain, eca, direct = (
        [sum(numbers) for numbers in zip(*count_step(row + options, *rest, amp))]
        for row in (PLAIN, ECA, f'{ECA}@backbone.folded=False')
    )
    assert eca[0] <= 1.3 * plain[0] and eca[1] <= plain[1]
    assert direct[0] > eca[0] and direct[1] > eca[1]


def test_tool_writes_a_table(tmp_path, capsys):
    call(
        'benchmark',
        'model',
        '--count',
        ECA,
        '--size',
        64,
        96,
        '--batch-size',
        1,
        '--out',
        tmp_path,
    )
    results = json.loads((tmp_path / 'count.json').read_text())
    assert list(results) == [f'{ECA} float32', f'{ECA} autocast']
    forward, backward = results[f'{ECA} float32']['from scratch']
    assert f'{forward[0]} + {backward[0]}' in capsys.readouterr().out
    assert (tmp_path / 'count.md').read_text().startswith('|')
