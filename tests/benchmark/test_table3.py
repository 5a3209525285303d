import json
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmdet_eca.benchmark import PaperSpeed, Setting, benchmark_table3
from mmdet_eca.benchmark.classifiers import (
    build_classifier,
    find_libraries,
    paper_row,
    peer_rows,
)
from mmdet_eca.benchmark.rows import build_row
from mmdet_eca.benchmark.steps import Step, make_batch
from tests.conftest import every_amp
from tests.tools.in_process import call, mistake

PLAIN = 'configs/imagenet/resnet18.py@backbone.base_channels=8@in_channels=64'
SMALL = ('--depths', '18', '--size', 33, 33, '--batch-size', 2, '--rounds', 2)


class Features(nn.Module):
    """What timm and MMPretrain build: images to maps, here of 512 channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 512, 3, stride=32)

    def forward(self, images):
        return [images, self.conv(images)]


@pytest.fixture
def libraries(monkeypatch):
    """Both are there, and write down what they are asked to build."""
    asked = []

    def create_model(name, features_only):
        asked.append(name)
        return Features()

    def build(cfg):
        asked.append((cfg['type'], cfg['depth']))
        return Features()

    monkeypatch.setitem(sys.modules, 'timm', SimpleNamespace(create_model=create_model))
    registry = SimpleNamespace(MODELS=SimpleNamespace(build=build))
    monkeypatch.setitem(sys.modules, 'mmpretrain', SimpleNamespace(registry=registry))
    return asked


def test_tool_measures_rows_relative_to_plain(tmp_path, capsys):
    call('benchmark', 'table3', *SMALL, '--out', tmp_path)
    results = json.loads((tmp_path / 'table3.json').read_text())
    assert f'torch {torch.__version__}' in results['machine']
    assert results['setting']['size'] == [33, 33]
    rows = {row['name']: row for row in results['rows']}
    assert list(rows) == ['resnet18', 'se_resnet18', 'eca_resnet18']
    printed = capsys.readouterr().out
    for column in ('training', 'inference'):
        assert rows['resnet18'][column]['ratios'] == [1, 1]
        for row in rows.values():
            low, high = sorted(row[column]['ratios'])
            plain = rows['resnet18'][column]['images_per_second']
            speed = row[column]['images_per_second']
            # The median of two is their mean, and a ratio of sums lies in between.
            assert low - 1e-6 <= speed / plain <= high + 1e-6
            assert f'({low:.2f} to {high:.2f})' in printed
    assert (tmp_path / 'table3.txt').read_text().strip() in printed
    assert '| eca_resnet18 ' in (tmp_path / 'table3.md').read_text()
    assert (tmp_path / 'table3.png').stat().st_size > 10000
    assert 'timm is not installed: pip install timm' in printed


def test_paper_stands_beside_what_is_measured(tmp_path):
    """Of ECA-Net50 the paper has 785 and 1805 images a second, of ResNet-50 1024 and
    1855."""
    papers = [
        PaperSpeed(name, 'ResNet-18', train_fps, inference_fps, 1.0)
        for name, train_fps, inference_fps in (
            ('resnet18', 1024, 1855),
            ('eca_resnet18', 785, 1805),
            ('se_resnet18', None, None),
        )
    ]
    table = benchmark_table3(papers, Setting(2, (33, 33), 1), str(tmp_path))
    cells = {
        row[1].strip(): [row[column].strip() for column in (4, 7)]
        for row in (line.split('|') for line in table.splitlines())
        if len(row) > 1
    }
    assert cells['eca_resnet18'] == ['0.767', '0.973']
    assert cells['se_resnet18'] == ['-', '-']


def test_aa_net_takes_images_of_any_size():
    with torch.device('meta'):
        classifier = build_classifier(paper_row('aa_resnet50', (256, 320)), PLAIN)
        scores = classifier(torch.empty(2, 3, 256, 320))
    assert scores.shape == (2, 1000)


def test_other_libraries_are_rows_where_they_are_installed(libraries, tmp_path, capsys):
    call('benchmark', 'table3', *SMALL, '--channels-last', '--out', tmp_path)
    rows = json.loads((tmp_path / 'table3.json').read_text())['rows']
    assert [row['name'] for row in rows] == [
        'resnet18',
        'se_resnet18',
        'eca_resnet18',
        'timm:resnet18',
        'timm:seresnet18',
    ]
    assert libraries == ['resnet18', 'seresnet18']
    assert rows[-1]['training']['paper_ratio'] is None
    assert 'Left out' not in capsys.readouterr().out


def test_peers_of_a_depth(libraries):
    assert find_libraries() == (['timm', 'mmpretrain'], [])
    rows = peer_rows('ResNet-101', ['timm', 'mmpretrain'])
    assert list(rows) == [
        'eca_resnet101d',
        'timm:resnet101',
        'timm:seresnet101',
        'timm:ecaresnet101d',
        'mmpretrain:SEResNet-101',
    ]
    assert peer_rows('MobileNetV2', ['timm', 'mmpretrain']) == {}
    assert peer_rows('ResNet-101', []) == {}
    build_classifier(rows['mmpretrain:SEResNet-101'], PLAIN)
    assert libraries == [('SEResNet', 101)]


def test_a_library_that_cannot_be_imported_says_why(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == 'mmpretrain':
                raise AssertionError('MMCV==2.2.0 is used but incompatible.\nPlease')

    monkeypatch.setattr(sys, 'meta_path', [Broken(), *sys.meta_path])
    assert find_libraries()[1] == [
        'timm is not installed: pip install timm',
        'mmpretrain cannot be imported here: MMCV==2.2.0 is used but incompatible.',
    ]


def test_a_training_step_is_that_of_sgd(device):
    """With a learning rate of 0 the weights stay, and the momentum is the gradient of
    the cross-entropy with the decay of the weights."""
    step = Step(build_row(PLAIN, False).to(device), updates=True)
    before = {name: p.clone() for name, p in step.model.named_parameters()}
    images = torch.rand(4, 3, 64, 64, device=device)
    batch = make_batch(step.model, images)
    step.prepare('training step', batch)()
    scores = step.model(images)
    loss = nn.functional.cross_entropy(scores, batch.samples)
    weight = step.model.fc.weight
    (gradient,) = torch.autograd.grad(loss, weight)
    momentum = step.optimizer.state[weight]['momentum_buffer']
    torch.testing.assert_close(momentum, gradient + 1e-4 * weight)
    for name, parameter in step.model.named_parameters():
        assert torch.equal(parameter, before[name])


@every_amp
def test_amp_updates_with_the_unscaled_gradient(device, dtype):
    step = Step(build_row(PLAIN, False).to(device), dtype, updates=True)
    batch = make_batch(step.model, torch.rand(4, 3, 64, 64, device=device))
    step.prepare('training step', batch)()
    weight = step.model.fc.weight
    momentum = step.optimizer.state[weight]['momentum_buffer']
    torch.testing.assert_close(momentum, weight.grad + 1e-4 * weight)
    with torch.no_grad():  # the gradient of the biases sums to 0, each is below 1
        assert step.model.fc.bias.grad.abs().max() < 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--batch-size', 0), 'batch_size must be at least 1, got 0'),
        (('--rounds', 0), 'rounds must be at least 1, got 0'),
        (('--size', 64, -1), 'size must be at least 1, got -1'),
        (('--size', 32, 32, '--batch-size', 1), 'a single image of at most 32x32'),
        (('--device', 'gpu'), "device must be cpu, cuda or cuda:N, got 'gpu'"),
    ],
)
def test_mistakes_are_one_line(options, message, tmp_path):
    assert message in mistake('benchmark', 'table3', *options, '--out', tmp_path)
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_one_line(tmp_path, monkeypatch):
    def full(self, batch):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(Step, 'train', full)
    line = mistake('benchmark', 'table3', *SMALL, '--out', tmp_path)
    assert 'too little memory for batches of 2: give a smaller --batch-size' in line
    assert not list(tmp_path.iterdir())
