"""A training stops at numbers that are not finite, with its good checkpoints."""

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from torch.utils._python_dispatch import TorchDispatchMode

from mmdet_eca import UserError
from mmdet_eca.training.hooks import DivergenceHook
from tests.training.resuming.toy import NUMBERS, toy_train

IMAGE = 'images/4.jpg'


def stopped(work_dir, gradient=False, **settings):
    """The message of a run that meets the image, and its newest checkpoint."""
    with pytest.raises(UserError) as error:
        toy_train(
            work_dir,
            model=dict(type='ToySpoiled', image=IMAGE, gradient=gradient),
            randomness=dict(seed=3),
            **settings,
        )
    pointer = work_dir / 'last_checkpoint'
    checkpoint = torch.load(pointer.read_text()) if pointer.exists() else None
    return str(error.value), checkpoint


def is_finite(checkpoint):
    return all(value.isfinite().all() for value in checkpoint['state_dict'].values())


def test_a_loss_is_named_with_its_images(tmp_path):
    message, checkpoint = stopped(tmp_path, checkpoint=dict(minutes=0))
    iteration = checkpoint['meta']['iter'] + 1
    assert message.startswith(f'loss_bbox=nan in iteration {iteration} (epoch 1) of ')
    assert IMAGE in message and is_finite(checkpoint)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """The loss is finite, the gradient is not."""
    message, checkpoint = stopped(tmp_path, True, checkpoint=dict(minutes=0))
    iteration = checkpoint['meta']['iter'] + 1
    assert message.startswith(f'linear.bias is not finite in iteration {iteration} ')
    assert IMAGE in message and is_finite(checkpoint)


def test_what_a_gradient_has_spoiled_shows_in_the_next_loss(tmp_path):
    message, _ = stopped(tmp_path, True)
    after = message.partition(' after one of ')[2]
    assert message.startswith('loss_cls=nan') and IMAGE in after


class Operations(TorchDispatchMode):
    """Lists torch's operations."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_an_iteration_has_no_operation_more(tmp_path, monkeypatch):
    seen = []

    def watched(method):
        def call(*args, **kwargs):
            with Operations() as operations:
                method(*args, **kwargs)
            seen.append(operations.names)

        return call

    for name in ('before_train_iter', 'after_train_iter'):
        monkeypatch.setattr(
            DivergenceHook, name, watched(getattr(DivergenceHook, name))
        )
    toy_train(tmp_path)
    assert seen == [[]] * 24


@pytest.fixture(params=[False, True], ids=['plain', 'fused'])
def amp(request, monkeypatch):
    """The optimiser of --amp, on the CPU. A fused one is called at an overflow too."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'GradScaler', lambda: torch.amp.GradScaler('cpu')
    )
    optimizer = dict(type='SGD', lr=0.1, fused=request.param)
    return dict(type='AmpOptimWrapper', optimizer=optimizer)


def test_one_image_that_overflows_is_left_to_the_scaler(amp, tmp_path):
    model = dict(type='ToySpoiled', image=IMAGE, gradient=True)
    toy_train(tmp_path, model=model, optim_wrapper=amp, randomness=dict(seed=3))
    checkpoint = torch.load(tmp_path / 'epoch_3.pth')
    assert checkpoint['optimizer']['loss_scaler']['scale'] == 65536 / 2**3  # epochs
    assert is_finite(checkpoint)


def test_a_scale_that_only_falls_stops_the_training(amp, tmp_path):
    """From 65536, halved each time, it is below 2**-10 after 27 iterations."""
    one = dict(dataset=dict(NUMBERS, size=5, indices=[4]), batch_size=1)
    message, checkpoint = stopped(
        tmp_path,
        True,
        loader=one,
        optim_wrapper=amp,
        train_cfg=dict(by_epoch=True, max_epochs=99),
    )
    assert 'the loss scale has fallen to' in message
    assert 'in iteration 30 ' in message and IMAGE in message
    assert is_finite(checkpoint)
