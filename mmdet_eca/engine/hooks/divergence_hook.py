import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.optim import Optimizer

from ...errors import UserError, first_few


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Stops a training whose numbers are not finite, and names the images.

    A gradient is looked at before the step: the weights are those of the iteration
    before, and the checkpoints are good. mmdet's CheckInvalidLossHook looks at the sum
    of losses, every 50 iterations, when the weights are spoiled already.

    Args:
        interval (int): Losses and gradients are looked at every that many iterations.
        smallest_scale (float): With mixed precision, the loss scale below which the
            run stops. It begins at 65536 and is halved when a gradient overflows.
    """

    priority = 'VERY_HIGH'

    def __init__(self, interval: int = 1, smallest_scale: float = 2**-10) -> None:
        self.interval = interval
        self.smallest_scale = smallest_scale
        self.where = 'before the first iteration'
        self.looks = False
        self.losses: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Looks at the gradients from now on, before each step of an optimiser."""
        _unwrapped(runner).register_forward_hook(self._note_losses)
        for wrapper in _wrappers(runner):
            _call_before_step(wrapper.optimizer, lambda: self._check_gradients(runner))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Notes which images come."""
        self.looks = self.every_n_train_iters(runner, self.interval)
        files = first_few(sorted(set(_files(data_batch))), 16) or 'unnamed images'
        self.where = (
            f'in iteration {runner.iter + 1} (epoch {runner.epoch + 1}) of {files}'
        )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Looks at the losses and at the loss scale.

        Raises:
            UserError: If a loss is not finite, or the scale has only fallen.
        """
        if not self.looks:
            return
        self._check_losses(outputs or {})
        for wrapper in _wrappers(runner):
            scaler = getattr(wrapper, 'loss_scaler', None)
            if scaler is not None and scaler.get_scale() < self.smallest_scale:
                raise UserError(
                    _explain(
                        f'the loss scale has fallen to {scaler.get_scale():g}, so that '
                        f'gradients overflow without it too, {self.where}'
                    )
                )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Looks at the weights, so that no good checkpoint is replaced by a bad one.

        Raises:
            UserError: If they are not finite.
        """
        for name, value in checkpoint['state_dict'].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise UserError(_explain(f'{name} is not finite {self.where}'))

    def _note_losses(self, model: nn.Module, inputs: Any, outputs: Any) -> None:
        if self.looks and isinstance(outputs, dict):
            self.losses = outputs

    def _check_losses(self, losses: dict[str, Any]) -> None:
        bad = {}
        for name, value in losses.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            if 'loss' in name:
                mean = sum(float(torch.as_tensor(v).detach().mean()) for v in values)
                if not math.isfinite(mean):
                    bad[name] = mean
        if len(bad) > 1:
            bad.pop('loss', None)  # the sum of the others
        if bad:
            named = ', '.join(f'{name}={value}' for name, value in bad.items())
            raise UserError(_explain(f'{named} {self.where}'))

    def _check_gradients(self, runner: Runner) -> None:
        if not self.looks:
            return
        named = [
            (name, parameter.grad)
            for name, parameter in _unwrapped(runner).named_parameters()
            if parameter.grad is not None
        ]
        # The largest value of each, since a sum of squares may overflow, and the norm
        # of infinite order loses a NaN on torch 2.1; one transfer from the GPU.
        largest = torch.stack([g.abs().amax().float() for _, g in named if g.numel()])
        if not bool(largest.isfinite().all()):
            self._check_losses(self.losses)  # the cause, if they are not finite either
            bad = [name for name, g in named if not bool(g.isfinite().all())]
            raise UserError(
                _explain(f'the gradient of {first_few(bad)} is not finite {self.where}')
            )


def _explain(what: str) -> str:
    return (
        f'{what}: the training has diverged, and the checkpoints are those before it. '
        'Look at these images and their annotations, or lower the learning rate'
    )


def _call_before_step(optimizer: Optimizer, call: Callable[[], None]) -> None:
    """Calls it before each step; torch.compile in torch 2.1 drops torch's own hooks."""
    step = optimizer.step

    @functools.wraps(step)  # with the attributes that schedulers leave on it
    def step_after_call(*args: Any, **kwargs: Any) -> Any:
        call()
        return step(*args, **kwargs)

    optimizer.step = step_after_call  # type: ignore[method-assign]


def _unwrapped(runner: Runner) -> nn.Module:
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def _wrappers(runner: Runner) -> list[OptimWrapper]:
    wrapper = runner.optim_wrapper
    return list(getattr(wrapper, 'optim_wrappers', {'': wrapper}).values())


def _files(batch: Any) -> Iterator[str]:
    """Yields each ``img_path`` in a batch, at any depth."""
    if isinstance(batch, dict):
        paths = batch.get('img_path', ())
        yield from [paths] if isinstance(paths, str) else paths
        for value in batch.values():
            yield from _files(value)
    elif isinstance(batch, (list, tuple)):
        for value in batch:
            yield from _files(value)
    elif isinstance(getattr(batch, 'img_path', None), str):
        yield batch.img_path
