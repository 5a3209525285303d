"""Which devices are taken for a CPU; the machine has only that, so mmengine's
detection is told otherwise."""

import argparse

import pytest
import torch
from mmengine.config import Config
from mmengine.device import utils as device

from mmdet_eca import UserError
from mmdet_eca.training.cli import add_train_arguments, load_train_config
from mmdet_eca.training.distributed import prepare_distributed
from tests.tools.test_train import DIGITS

ACCELERATORS = ('cuda', 'npu', 'mlu', 'musa')
OTHERS = ('cpu', 'mps')


def distributed(monkeypatch, name):
    """What a run by torchrun gets on such a device: process groups, wrapper."""
    groups = []
    monkeypatch.setattr(device, 'DEVICE', name)
    monkeypatch.setattr(torch.distributed, 'init_process_group', groups.append)
    cfg = Config(dict(launcher='pytorch'))
    prepare_distributed(cfg)
    return groups, cfg.get('model_wrapper_cfg')


@pytest.mark.parametrize('name', ACCELERATORS)
def test_accelerators_keep_mmengines_own_backend(monkeypatch, name):
    assert distributed(monkeypatch, name) == ([], None)


@pytest.mark.parametrize('name', OTHERS)
def test_a_cpu_gets_gloo(monkeypatch, name):
    groups, wrapper = distributed(monkeypatch, name)
    assert groups == ['gloo'] and wrapper['device_ids'] is None


@pytest.mark.parametrize('name', ACCELERATORS + OTHERS)
def test_amp_is_what_the_device_has(monkeypatch, name):
    monkeypatch.setattr(device, 'DEVICE', name)
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    args = parser.parse_args([DIGITS, '--amp'])
    if name == 'mps':
        with pytest.raises(UserError, match="--amp: torch trains so on no 'mps'"):
            load_train_config(args)
        return
    cfg = load_train_config(args)
    scales = name in ACCELERATORS
    assert (cfg.optim_wrapper.type == 'AmpOptimWrapper') == scales
    assert (dict(type='MixedPrecisionHook') in cfg.custom_hooks) != scales
