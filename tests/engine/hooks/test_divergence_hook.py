"""A training stops at numbers that are not finite, with its good checkpoints."""

import pytest
import torch

from mmdet_eca import UserError
from tests.engine.resuming.toy import toy_train

IMAGE = 'images/4.jpg'


def stopped(work_dir, *, gradient=False, hooks=()):
    """The message of a run that meets the image, and its newest checkpoint."""
    with pytest.raises(UserError) as error:
        toy_train(
            work_dir,
            model=dict(type='ToySpoiled', image=IMAGE, gradient=gradient),
            randomness=dict(seed=3),
            checkpoint=dict(minutes=0),
            custom_hooks=list(hooks),
        )
    return str(error.value), torch.load((work_dir / 'last_checkpoint').read_text())


def finite(checkpoint):
    return all(value.isfinite().all() for value in checkpoint['state_dict'].values())


def test_a_loss_is_named_with_its_images(tmp_path):
    message, checkpoint = stopped(tmp_path)
    iteration = checkpoint['meta']['iter'] + 1
    assert message.startswith(f'loss_bbox=nan in iteration {iteration} (epoch 1) of ')
    assert IMAGE in message
    assert finite(checkpoint)


def test_a_gradient_is_named_before_it_changes_the_weights(tmp_path):
    compiled = torch.compile(torch.nn.Linear(2, 2), backend='eager')
    compiled(torch.ones(1, 2))  # which drops the hooks of optimisers in torch 2.1
    message, checkpoint = stopped(tmp_path, gradient=True)
    iteration = checkpoint['meta']['iter'] + 1
    start = f'the gradient of linear.bias is not finite in iteration {iteration} '
    assert message.startswith(start) and IMAGE in message
    assert finite(checkpoint)


def test_with_an_interval_no_checkpoint_gets_what_is_not_finite(tmp_path):
    hook = dict(type='DivergenceHook', interval=50)
    message, checkpoint = stopped(tmp_path, hooks=[hook])
    assert message.startswith('linear.bias is not finite in iteration ')
    assert finite(checkpoint)
