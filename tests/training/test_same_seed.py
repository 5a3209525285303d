"""The same seed gives the same weights, bit by bit, in one process on the CPU."""

import os
from argparse import ArgumentParser

import pytest
import torch

from mmdet_eca.training.cli import add_train_arguments, load_train_config
from tests.training.resuming.runs import logged, train

CONFIG = 'digits/mask_rcnn_eca_r50_digits'


def assert_same_weights(one, other):
    one, other = (torch.load(folder / 'epoch_1.pth') for folder in (one, other))
    for name, value in one['state_dict'].items():
        assert torch.equal(other['state_dict'][name], value), name


def test_twice_and_with_workers(digits, tmp_path):
    """Sampling of the RPN and the RoI heads, flips and the order of images too."""
    one, other = tmp_path / 'one', tmp_path / 'other'
    train(CONFIG, digits, one, train_cfg__max_epochs=1)
    train(
        CONFIG, digits, other, train_cfg__max_epochs=1, train_dataloader__num_workers=2
    )
    assert len(logged(one)) == 4 and logged(one) == logged(other)
    assert_same_weights(one, other)
    train(CONFIG, digits, other, train_cfg__max_epochs=1, randomness__seed=1)
    assert logged(one) != logged(other)


@pytest.fixture
def torch_as_before(monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', '')
    del os.environ['CUBLAS_WORKSPACE_CONFIG']
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


@pytest.mark.usefixtures('torch_as_before')
def test_deterministic_asks_for_torchs_algorithms(digits, tmp_path):
    """On the CPU torch has one for every operator of the detector."""
    short = dict(train_cfg__max_epochs=1, train_dataloader__dataset__indices=1)
    train(CONFIG, digits, tmp_path, '--deterministic', **short)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
    assert len(logged(tmp_path)) == 1


@pytest.mark.usefixtures('torch_as_before')
@pytest.mark.parametrize(('options', 'seed'), [([], 0), (['randomness.seed=7'], 7)])
def test_deterministic_brings_a_seed(options, seed):
    parser = ArgumentParser()
    add_train_arguments(parser)
    words = [f'configs/{CONFIG}.py', '--deterministic']
    words += ['--cfg-options', *options] if options else []
    cfg = load_train_config(parser.parse_args(words))
    assert cfg.randomness == dict(seed=seed, deterministic=True)
