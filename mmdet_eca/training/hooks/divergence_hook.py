import math
from collections.abc import Iterator
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from ...errors import UserError, first_few

SCALE_INTERVAL = 10  # iterations


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Stops a training whose losses are not finite, and names the images.

    It looks at the numbers that mmengine logs, which mmengine reads from the GPU in
    each iteration, and at the weights before they are saved. With mixed precision an
    overflow is left to the scaler, and the run stops when the scale only falls.

    Args:
        interval (int): Losses are looked at every that many iterations.
        smallest_scale (float): With mixed precision, the loss scale below which the
            run stops. It begins at 65536 and is halved when a gradient overflows.
    """

    priority = 'LOW'  # after mmengine's RuntimeInfoHook

    def __init__(self, interval: int = 1, smallest_scale: float = 2**-10) -> None:
        self.interval = interval
        self.smallest_scale = smallest_scale
        self.images = ['', '']  # of the iteration before, and of this one

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Notes which images come."""
        files = first_few(sorted(set(_files(data_batch))), 16) or 'unnamed images'
        self.images = [self.images[1], files]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Looks at the losses, or at the loss scale if there is one.

        Raises:
            UserError: If a loss is not finite, or the scale has only fallen.
        """
        scalers = [
            wrapper.loss_scaler
            for wrapper in _wrappers(runner)
            if hasattr(wrapper, 'loss_scaler')
        ]
        if scalers:
            if self.every_n_train_iters(runner, SCALE_INTERVAL):
                scale = min(scaler.get_scale() for scaler in scalers)
                if scale < self.smallest_scale:
                    self._stop(runner, f'the loss scale has fallen to {scale:g}')
        elif self.every_n_train_iters(runner, self.interval):
            scalars = runner.message_hub.log_scalars
            values = {
                name: scalars[f'train/{name}'].current()
                for name in outputs or {}
                if 'loss' in name and f'train/{name}' in scalars
            }
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:
                parts = [name for name in bad if name != 'loss'] or bad
                named = ', '.join(f'{name}={values[name]}' for name in parts)
                self._stop(runner, named)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Looks at the weights, so that no good checkpoint is replaced by a bad one.

        Raises:
            UserError: If they are not finite.
        """
        for part in ('state_dict', 'ema_state_dict'):
            for name, value in checkpoint.get(part, {}).items():
                if value.is_floating_point() and not value.isfinite().all():
                    self._stop(runner, f'{name} is not finite')

    def _stop(self, runner: Runner, what: str) -> None:
        before, images = self.images
        where = f'in iteration {runner.iter + 1} (epoch {runner.epoch + 1}) of {images}'
        if before:
            where += f' after one of {before}'
        raise UserError(
            f'{what} {where}: the training has diverged, and the checkpoints are those '
            'before it. Look at these images and their annotations, or lower the '
            'learning rate'
        )


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
