"""The command as a user types it."""

import csv
import json
import shutil
import sys

import cv2
import pytest
import torch

from tests.explanation.detectors import PLAIN, write
from tests.tools.in_process import call, mistake


@pytest.fixture(scope='module')
def trained(tmp_path_factory, digits):
    """Words for a detector with attention, and for the plain one."""
    folder = tmp_path_factory.mktemp('detectors')
    return write(folder, 'eca', data=digits), write(folder, 'plain', backbone=PLAIN)


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_gates_and_differences_of_a_data_set(trained, tmp_path, capsys):
    eca, plain = trained
    out = tmp_path / 'out'
    words = ['--data', '--max-images', 2, '--plain', *plain, '--pictures', 1]
    call(
        *('show-attention', *eca, *words, '--out', out),
        *('--show', 'gates', 'differences', '--score', 0.2, '--device', 'cpu'),
    )
    printed = capsys.readouterr().out
    assert 'backbone.layer4.2' in printed and 'detections in 2 images' in printed
    summary = json.loads((out / 'summary.json').read_text())
    assert summary['images'] == 2 and len(summary['gates']) == 16
    for name in ('gates.png', 'distances.png'):
        assert cv2.imread(str(out / name)).std() > 10
    assert len(list((out / 'differences').glob('*.png'))) == 1

    # The figures of a layer are those of its channels.
    channels = [row for row in rows(out / 'gates.csv') if row['layer'].endswith('4.2')]
    assert len(channels) == 512
    (layer,) = (row for row in summary['gates'] if row['name'] == 'backbone.layer4.2')
    mean = sum(float(row['mean']) for row in channels) / 512
    assert layer['mean'] == pytest.approx(mean, abs=1e-6)
    spread = sum(float(row['std over images']) ** 2 for row in channels) / 512
    assert layer['images'] == pytest.approx(spread**0.5 / mean, rel=1e-4)

    # Each detection that both have is in the list of each, and has a verdict.
    listed = rows(out / 'differences.csv')
    both = [row['detector'] for row in listed if row['found by'] == 'both']
    assert both.count('plain') == both.count('with attention')
    assert {row['verdict'] for row in listed} <= {'right', 'wrong'}
    assert all(float(row['score']) >= 0.2 for row in listed)
    assert f'{out} exists' in mistake('show-attention', *eca, '--data', '--out', out)


def test_images_without_annotations_and_without_detections(
    trained, digits, tmp_path, capsys
):
    eca, _ = trained
    folder = tmp_path / 'photos'
    shutil.copytree(f'{digits}/val', folder)
    call(
        *('show-attention', *eca, folder, '--show', 'gates', '--score', 1),
        *('--out', tmp_path / 'out', '--device', 'cpu'),
    )
    captured = capsys.readouterr()
    assert captured.out.count('no detection above 1.0') == 4
    assert 'weights over 4 images' in captured.out
    first = rows(tmp_path / 'out' / 'gates.csv')[0]
    assert list(first) == ['layer', 'channel', 'mean', 'std over images']


def test_without_grad_cam_the_rest_is_drawn(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    words = [*trained[0], '--data', '--max-images', 1, '--device', 'cpu']
    call('show-attention', *words, '--out', tmp_path / 'out')
    assert (tmp_path / 'out' / 'gates.png').exists()
    assert 'pip install grad-cam' in capsys.readouterr().err
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['parts'] == ['gates']
    asked = [*words, '--show', 'maps', '--out', tmp_path / 'maps']
    assert 'pip install grad-cam' in mistake('show-attention', *asked)


def test_without_a_test_set_the_validation_set_is_taken(trained, tmp_path, capsys):
    config, checkpoint = trained[0]
    other = tmp_path / 'no_test.py'
    other.write_text(
        f'_base_ = {str(config)!r}\nval_dataloader = _base_.test_dataloader\n'
        'test_dataloader = test_evaluator = test_cfg = None'
    )
    call(
        *('show-attention', other, checkpoint, '--data', '--max-images', 1),
        *('--show', 'gates', '--out', tmp_path / 'out', '--device', 'cpu'),
    )
    assert 'weights over 1 images' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([], 'name images, or give --data'),
        (['a.jpg', '--data'], 'not both'),
        (['--data', '--pictures', '0'], '--pictures must be at least 1, got 0'),
        (['nothing.jpg', '--show', 'gates'], 'nothing.jpg'),
        (['--data', '--show', 'differences'], '--plain CONFIG'),
    ],
)
def test_mistakes_of_the_command_line(trained, words, message, tmp_path):
    out = tmp_path / 'out'
    assert message in mistake('show-attention', *trained[0], *words, '--out', out)
    assert not out.exists()


def test_mistakes_about_the_detectors(trained, digits, tmp_path):
    eca, plain = trained
    out = ['--out', tmp_path / 'out', '--device', 'cpu']
    gates = ['--data', '--show', 'gates', *out]
    assert 'no attention layer' in mistake('show-attention', *plain, *gates)
    config = tmp_path / 'letters.py'
    names = tuple('abcdefghij')
    metainfo = dict(classes=names)
    config.write_text(
        f'_base_ = {str(plain[0])!r}\n'
        f'test_dataloader = dict(dataset=dict(metainfo={metainfo!r}))'
    )
    checkpoint = tmp_path / 'letters.pth'
    weights = torch.load(plain[1])
    weights['meta'] = dict(dataset_meta=dict(CLASSES=names))
    torch.save(weights, checkpoint)
    message = mistake(
        *('show-attention', *eca, '--data', '--plain', config, checkpoint),
        *('--show', 'differences', *out),
    )
    assert 'classes: 10 (0, 1, 2, 3, 4, ...)' in message
    broken = tmp_path / 'broken.jpg'
    broken.write_text('no image')
    gates = [broken, '--show', 'gates', *out]
    message = mistake('show-attention', *eca, *gates)
    assert str(broken) in message
    assert not (tmp_path / 'out').exists()
