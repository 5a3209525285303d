"""A run that is killed and resumed logs what the uninterrupted one has logged."""

import pytest
import torch

from tests.tools.in_process import log
from tests.training.resuming.runs import logged, train

EVERY_ITERATION = dict(default_hooks__checkpoint__minutes=0)
AVERAGE = "custom_hooks.append(dict(type='EMAHook', momentum=0.1))\n"


@pytest.mark.parametrize(
    'name',
    [
        pytest.param('faster_rcnn_eca_r50', marks=pytest.mark.slow),
        'mask_rcnn_eca_r50',
        pytest.param('retinanet_eca_r50', marks=pytest.mark.slow),
    ],
)
def test_killed_within_an_epoch_and_after_one(name, digits, tmp_path):
    """Bit by bit: sampling, augmentation, schedules, optimiser and averages."""
    config, whole, killed = (
        f'digits/{name}_digits',
        tmp_path / 'whole',
        tmp_path / 'killed',
    )
    train(config, digits, whole, text=AVERAGE)
    train(config, digits, killed, stop=3, text=AVERAGE, **EVERY_ITERATION)
    assert (killed / 'within_epoch_iter_3.pth').exists()
    assert not (killed / 'within_epoch_iter_2.pth').exists()
    train(config, digits, killed, '--resume', stop=6, text=AVERAGE)
    assert 'resumed epoch: 0, iter: 3' in log(killed)
    train(config, digits, killed, '--resume', text=AVERAGE)
    assert 'resumed epoch: 1, iter: 4' in log(killed)
    assert list(logged(whole)) == list(range(1, 9))
    assert logged(killed) == logged(whole)
    one, other = (torch.load(folder / 'epoch_2.pth') for folder in (whole, killed))
    for key in ('state_dict', 'ema_state_dict'):
        for weight, value in one[key].items():
            assert torch.equal(other[key][weight], value), weight
    assert sorted(path.name for path in killed.glob('*.pth')) == ['epoch_2.pth']
