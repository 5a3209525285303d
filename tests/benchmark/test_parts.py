import json
import types

import pytest
import torch
from torch import nn

from mmdet_eca import UserError
from mmdet_eca.benchmark import benchmark_parts, stopwatch
from mmdet_eca.benchmark.rows import build_row
from mmdet_eca.benchmark.steps import Batch, Step, make_samples
from mmdet_eca.benchmark.stopwatch import REST, Stopwatch, make_detections_equal
from tests.tools.in_process import call

DIGITS = 'configs/digits/mask_rcnn_eca_r50_digits.py'
NETWORKS = {'backbone', 'neck', 'RPN head', 'RoIAlign', 'box head', 'mask head'}
PARTS = {
    'inference': {'proposals', 'boxes and NMS', 'masks in the image'},
    'training step': {'proposals', 'targets and losses'},
}


def test_tool_compares_the_parts(tmp_path, capsys):
    rows = [DIGITS, f'{DIGITS}@channels_last@amp_bfloat16']
    sizes = ['--size', 96, 128, '--rounds', 2, '--out', tmp_path]
    call('benchmark', 'parts', *rows, *sizes)
    results = json.loads((tmp_path / 'parts.json').read_text())
    assert results.keys() == PARTS.keys()
    for measure, by_row in results.items():
        assert list(by_row) == rows
        for parts in by_row.values():
            assert parts.keys() == NETWORKS | PARTS[measure] | {'all', REST}
            rounds = list(zip(*(parts[part] for part in parts if part != 'all')))
            assert [sum(seconds) for seconds in rounds] == pytest.approx(parts['all'])
            assert len(rounds) == 2 and min(map(min, rounds)) >= 0
    printed = capsys.readouterr().out
    assert (tmp_path / 'parts.txt').read_text().strip() in printed
    assert (tmp_path / 'parts.png').stat().st_size > 10000
    assert '| masks in the image |' in (tmp_path / 'parts.md').read_text()


class Takes(torch.autograd.Function):
    """Nothing but time, on a clock of the test's own."""

    @staticmethod
    def forward(ctx, x, clock, forward, backward):
        clock.now += forward
        ctx.clock, ctx.backward_time = clock, backward
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.clock.now += ctx.backward_time
        return grad, None, None, None


class Part(nn.Module):
    def __init__(self, *takes, inner=None):
        super().__init__()
        self.takes, self.inner = takes, inner

    def forward(self, x):
        x = Takes.apply(x, *self.takes)
        return (x if self.inner is None else self.inner(x),)


def test_each_part_has_its_own_time(monkeypatch):
    """Forward 5 and 3, backward 7 and 11; the rest 2, and 13 before the backward pass
    reaches the neck."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(stopwatch, 'timer', lambda: clock.now)
    model = nn.Module()
    model.backbone, model.neck = Part(clock, 5, 7), Part(clock, 3, 11)
    watch = Stopwatch(model)
    x = torch.ones(2, requires_grad=True)

    def step():
        (maps,) = model.neck(*model.backbone(x))
        clock.now += 2
        Takes.apply(maps, clock, 0, 13).sum().backward()

    for _ in range(2):  # the second call measures itself alone
        assert watch.run(step) == {'backbone': 12, 'neck': 14, REST: 15}
    with torch.no_grad():
        forward = watch.run(lambda: model.neck(*model.backbone(x)))
    assert forward == {'backbone': 5, 'neck': 3, REST: 0}


def test_every_row_finds_as_many_objects_and_masks():
    found = []
    images = torch.rand(1, 3, 96, 128)
    for row in (DIGITS, f'{DIGITS}@backbone.kernel_size=3@channels_last'):
        torch.manual_seed(len(found))
        model = build_row(row, False).eval()
        make_detections_equal(model)
        batch = Batch(images, make_samples(images))
        found.append(Step(model).detect(batch)[0].pred_instances)
    torch.testing.assert_close(found[0].bboxes, found[1].bboxes)
    assert len(found[0].masks) == len(found[1].masks) > 10


def test_a_row_that_is_no_detector_is_refused(tmp_path):
    backbone = tmp_path / 'config.py'
    backbone.write_text("model = dict(type='ECAResNet', depth=50)")
    with pytest.raises(UserError, match='is no detector'):
        benchmark_parts([str(backbone)], 1, (64, 64), 1, str(tmp_path))
