"""With mixed precision: one gradient that overflows is skipped, one after the other
stops the training."""

from functools import partial

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper

from mmdet_eca import UserError
from tests.engine.resuming.toy import NUMBERS, toy_train


class ScalerByTheRule:
    """torch's rule, for torch below 2.3, which scales on a GPU only: a step whose
    gradients are not finite is left out, and halves the scale."""

    def __init__(self):
        self.value = 65536.0

    def scale(self, loss):
        return loss * self.value

    def step(self, optimizer):
        weights = [w for group in optimizer.param_groups for w in group['params']]
        for weight in weights:
            weight.grad /= self.value
        if all(weight.grad.isfinite().all() for weight in weights):
            optimizer.step()
        else:
            self.value /= 2

    def update(self, _):
        pass

    def get_scale(self):
        return self.value

    def state_dict(self):
        return dict(scale=self.value)


SCALERS = {
    'by the rule': ScalerByTheRule,
    "torch's": partial(torch.amp.GradScaler, 'cpu'),
}


@pytest.fixture(params=SCALERS)
def train(request, monkeypatch, tmp_path):
    """A training with mmengine's wrapper for --amp, on the CPU: 7 images an epoch."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', SCALERS[request.param])

    def train(**changes):
        wrapper = dict(type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1))
        toy_train(tmp_path, optim_wrapper=wrapper, randomness=dict(seed=3), **changes)
        *_, newest = sorted(
            tmp_path.glob('epoch_*.pth'), key=lambda p: p.stat().st_mtime
        )
        return torch.load(newest)

    return train


def spoiled(image):
    return dict(type='ToySpoiled', image=image, gradient=True)


def test_a_scale_that_only_falls_stops_the_training(train, tmp_path):
    """From 65536, halved 27 times, it is below 2**-10; the weights are the first."""
    one = dict(dataset=dict(NUMBERS, size=1), batch_size=1)
    message = (
        r'the loss scale has fallen to 0.000488281.* in iteration 27 \(epoch 27\) '
    )
    with pytest.raises(UserError, match=message + r'of images/0.jpg'):
        train(
            model=spoiled('images/0.jpg'),
            loader=one,
            train_cfg=dict(by_epoch=True, max_epochs=99),
        )
    weights = [torch.load(path)['state_dict'] for path in tmp_path.glob('epoch_*.pth')]
    assert len(weights) == 26
    assert all(w['linear.bias'].equal(weights[0]['linear.bias']) for w in weights)


def test_one_image_that_overflows_does_not(train):
    checkpoint = train(model=spoiled('images/4.jpg'))
    assert checkpoint['optimizer']['loss_scaler']['scale'] == 65536 / 2**3  # epochs
    assert checkpoint['meta']['iter'] == 12
    assert all(value.isfinite().all() for value in checkpoint['state_dict'].values())


def test_none_that_overflows(train):
    assert train()['optimizer']['loss_scaler']['scale'] == 65536
