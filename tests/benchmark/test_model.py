import gc
import json
import shlex
import sys
import weakref

import pytest
import torch

from mmdet_eca import AttentionResNet, UserError
from mmdet_eca.benchmark import benchmark_model
from mmdet_eca.benchmark.memory import saved_bytes
from mmdet_eca.benchmark.rows import build_row
from mmdet_eca.benchmark.steps import Batch, Step, make_samples
from tests.conftest import every_amp
from tests.tools.in_process import call

PLAIN = 'configs/mask_rcnn_r50_fpn_1x.py'
ECA = 'configs/mask_rcnn_eca_r50_fpn_1x.py'
DIGITS = 'configs/digits/mask_rcnn_eca_r50_digits.py'


def test_tool_compares_backbones(tmp_path, capsys):
    call(
        'benchmark',
        'model',
        PLAIN,
        f'{PLAIN}@efficient_conv_bn_eval',
        f'{ECA}@backbone.folded=False',
        f'{ECA}@channels_last',
        '--backbone-only',
        '--size',
        192,
        256,
        '--rounds',
        1,
        '--out',
        tmp_path,
    )
    results = json.loads((tmp_path / 'model.json').read_text())
    saved = [row['saved activations'] for row in results.values()]
    assert saved[3] < saved[0] < saved[2]
    assert saved[3] < saved[1]  # which folds where the weights are larger too
    printed = capsys.readouterr().out
    cells = [cell.strip() for cell in printed.split('|')]
    assert f'{saved[3] / saved[0]:.3f}' in cells
    for row in results.values():
        assert row['training step']['seconds'] > 0
        assert len(row['inference, one image']['ratios']) == 1
    assert (tmp_path / 'model.txt').read_text().strip() in printed
    assert (tmp_path / 'model.png').stat().st_size > 10000


def test_whole_detectors_and_the_limit_of_what_is_saved(device, tmp_path):
    direct = f'{DIGITS}@backbone.folded=False@backbone.norm_eval=True'
    rows = [direct, f'{DIGITS}@backbone.norm_eval=True']
    arguments = (rows, False, 2, (96, 128), 1, str(tmp_path))
    table = benchmark_model(*arguments, device=device.type)
    results = json.loads((tmp_path / 'model.json').read_text())
    saved = [results[row]['saved activations'] for row in rows]
    assert saved[1] < saved[0] and f'{saved[1] / saved[0]:.3f}' in table
    with pytest.raises(UserError, match=r'saves \d\.\d+ of the.*more than 0.1'):
        benchmark_model(*arguments, 0.1, device.type)
    peaks = [row.get('peak memory') for row in results.values()]
    assert (
        peaks == [None, None]
        if device.type == 'cpu'
        else (saved[1] < peaks[1] < peaks[0])
    )


def test_markdown_says_where_and_how_it_was_made(device, tmp_path):
    rows = [f'{DIGITS}@amp_bfloat16', DIGITS]
    benchmark_model(rows, True, 2, (96, 128), 1, str(tmp_path), device=device.type)
    lines = (tmp_path / 'model.md').read_text().splitlines()
    header, rule, first, second, absolute = (
        line.strip('|').split('|') for line in lines[:5]
    )
    assert [cell.strip() for cell in header[:2]] == [
        'relative to the first',
        'training step',
    ]
    assert set(''.join(rule)) == {'-', ':'}  # numbers are aligned to the right
    assert [row[0].strip() for row in (first, second)] == rows
    assert float(first[1]) == 1 and float(second[1]) > 0
    assert float(absolute[1].split(' s')[0]) > 0
    machine, command = lines[6], lines[8]
    assert f'torch {torch.__version__}' in machine and 'mmcv 2.' in machine
    if device.type == 'cuda':
        assert torch.cuda.get_device_name() in machine
    assert shlex.split(command)[1:] == sys.argv


@every_amp
def test_amp_casts_the_steps(device, dtype):
    """Outputs and what is kept for the backward pass are of that type, the
    gradients are of float32, as the loss had not been scaled, and inference of
    one image is that of the first."""
    row = f'{ECA}@amp' + ('_bfloat16' if dtype == torch.bfloat16 else '')
    settings = '@backbone.base_channels=8'
    batch = Batch(torch.rand(2, 3, 192, 256))
    steps = [
        Step(build_row(text + settings, True).to(device), amp)
        for text, amp in ((row, dtype), (ECA, None))
    ]
    steps[0].model.load_state_dict(steps[1].model.state_dict())
    outs = steps[0].prepare('inference, one image', batch)()
    assert all(out.dtype == dtype and len(out) == 1 for out in outs)
    gradients = []
    for step in steps:
        step.prepare('training step', batch)()
        gradients.append(
            torch.cat(
                [
                    p.grad.flatten()
                    for p in step.model.parameters()
                    if p.grad is not None
                ]
            )
        )
    half, full = gradients
    assert half.dtype == full.dtype == torch.float32
    assert (half - full).norm() < 0.1 * full.norm()
    assert saved_bytes(steps[0], batch) < 0.7 * saved_bytes(steps[1], batch)


def test_saved_activations_are_counted_once():
    """A ReLU in place shares the convolution's output: 2 x 4 x 8 x 8 floats,
    and the input, which the weight's gradient needs."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(inplace=True)
    )
    saved = saved_bytes(Step(network), Batch(torch.randn(2, 3, 8, 8)))
    assert saved == (2 * 4 * 8 * 8 + 2 * 3 * 8 * 8) * 4


def test_activations_are_freed_between_rows():
    outputs = []
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(inplace=True)
    )
    network.register_forward_hook(lambda *args: outputs.append(weakref.ref(args[2])))
    gc.disable()  # a cycle would be found some rows later
    try:
        saved_bytes(Step(network), Batch(torch.randn(2, 3, 8, 8)))
        assert [output() for output in outputs] == [None]
    finally:
        gc.enable()


def test_options_of_a_row():
    backbone = build_row(
        f'{PLAIN}@channels_last@backbone.type=AttentionResNet@backbone.depth=18', True
    )
    assert isinstance(backbone, AttentionResNet) and len(backbone.layer1) == 2
    assert backbone.layer2[0].conv1.weight.is_contiguous(
        memory_format=torch.channels_last
    )


def test_a_compiled_row(monkeypatch):
    calls = []
    monkeypatch.setattr(torch, 'compile', lambda call, **options: calls.append(call))
    build_row(PLAIN, True)
    assert not calls
    build_row(f'{PLAIN}@compiled', True)
    assert len(calls) == 1


def test_heads_have_the_same_work_in_every_row():
    proposals = []
    images = torch.rand(2, 3, 96, 128)
    for row in (DIGITS, f'{DIGITS}@backbone.kernel_size=3'):
        model = build_row(row, False).eval()
        with torch.no_grad():
            proposals.append(
                [
                    found.bboxes
                    for found in model.rpn_head.predict(
                        model.extract_feat(images), make_samples(images)
                    )
                ]
            )
    for one, other in zip(*proposals):
        assert len(one) > 20
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('configs/none.py', 'configs/none.py does not exist: give a config file'),
        (f'{ECA}@chanels_last', "unknown option 'chanels_last'.*channels_last,"),
        ('timm:resnet50', 'timm is not installed: pip install timm'),
        ('mmpretrain:SEResNet', 'mmpretrain is not installed: pip install'),
    ],
)
def test_wrong_rows_are_named(row, message):
    with pytest.raises(UserError, match=message):
        build_row(row, True)
