import glob
import os
import os.path as osp
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, LoggerHook
from mmengine.runner import Runner

from ...weights.files import whole_file
from .finding import POINTER, WITHIN_EPOCH
from .loops import can_continue_here

BACKEND = 'whole_files'
UNFINISHED = 'checkpoint.tmp'  # a killed process leaves one such file at most
EARLY_STOPPING = 'early_stopping'  # in the message hub, and so in checkpoints


@register_backend(BACKEND)
class WholeFileBackend(LocalBackend):
    """mmengine's local files, which appear whole, and are removed later.

    mmengine removes an old checkpoint before it writes the new one. Here it is only
    noted in ``outdated``, until the new one is on the disk.
    """

    def __init__(self) -> None:
        self.outdated: list[str] = []

    def put(self, obj: bytes, filepath: str) -> None:
        """Writes a file whole or not at all."""
        unfinished = osp.join(osp.dirname(filepath), UNFINISHED)
        with whole_file(filepath, unfinished):
            super().put(obj, unfinished)

    def remove(self, filepath: str) -> None:
        """Notes that a file is outdated."""
        self.outdated.append(filepath)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which always leaves a checkpoint to continue from.

    Files appear whole, and an old one is removed when the new one is on the disk; if
    there is no room for it, the run says so and continues. A checkpoint is written
    within an epoch too, and before an evaluation; the newest of them is kept until
    the epoch's own is there. mmengine's EarlyStoppingHook keeps its count.

    Args:
        minutes (float, optional): The longest time between two checkpoints; with None
            there are only mmengine's.
        **settings: As for mmengine's hook.
    """

    file_backend: Any

    def __init__(self, minutes: float | None = 15, **settings: Any) -> None:
        local = '://' not in str(settings.get('out_dir'))
        if local and not settings.get('file_client_args'):
            settings['backend_args'] = settings.get('backend_args') or {
                'backend': BACKEND
            }
        super().__init__(**settings)
        self.minutes = minutes
        self.saved_at = 0.0
        self.saved_iter = 0

    def before_train(self, runner: Runner) -> None:
        """Takes up the state of an earlier process."""
        super().before_train(runner)
        if is_main_process():
            with suppress(OSError):
                os.remove(osp.join(self.out_dir, UNFINISHED))
        self.saved_at = time.monotonic()
        self.saved_iter = runner.iter
        states = runner.message_hub.runtime_info.get(EARLY_STOPPING, ())
        for hook, state in zip(_early_stopping(runner), states):
            hook.best_score, hook.wait_count = state

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes what is saved, whoever saves it."""
        self.saved_at = time.monotonic()
        self.saved_iter = checkpoint['meta']['iter']
        checkpoint['message_hub']['runtime_info'][EARLY_STOPPING] = [
            [float(hook.best_score), hook.wait_count]
            for hook in _early_stopping(runner)
        ]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Writes mmengine's checkpoints, and one if the last is too old."""
        with self._keeping_old_ones(runner):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if (
            self.minutes is not None
            and is_main_process()
            and time.monotonic() - self.saved_at >= 60 * self.minutes
            and can_continue_here(runner)
        ):
            self.save_within_epoch(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Writes mmengine's checkpoints."""
        with self._keeping_old_ones(runner):
            super().after_train_epoch(runner)

    def before_val(self, runner: Runner) -> None:
        """Writes a checkpoint if there is none of the iteration that is evaluated."""
        if (
            self.minutes is not None
            and is_main_process()
            and self.saved_iter != runner.iter
            and can_continue_here(runner)
        ):
            self.save_within_epoch(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Writes mmengine's best checkpoint."""
        with self._keeping_old_ones(runner):
            super().after_val_epoch(runner, metrics)

    def save_within_epoch(self, runner: Runner, iteration: int) -> None:
        """Writes a checkpoint that the next one replaces.

        Args:
            runner (Runner): The runner.
            iteration (int): How many iterations are done.
        """
        name = WITHIN_EPOCH.format(iteration)
        runner.logger.info(f'Saving checkpoint at {iteration} iterations')
        with self._keeping_old_ones(runner, name):
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                meta=dict(epoch=runner.epoch, iter=iteration),
                backend_args=self.backend_args,
                **self.args,
            )
            with open(osp.join(runner.work_dir, POINTER), 'w') as file:
                file.write(self.file_backend.join_path(self.out_dir, name))

    @contextmanager
    def _keeping_old_ones(
        self, runner: Runner, name: str | None = None
    ) -> Iterator[None]:
        """Reports a full disk; if a file was written, removes those within an epoch.

        Args:
            runner (Runner): The runner.
            name (str, optional): One within an epoch, which stays.
        """
        before, backend = self.saved_at, self.file_backend
        try:
            yield
        except OSError as error:
            runner.logger.error(
                'a checkpoint could not be written, and the older ones are kept: '
                f'{error}'
            )
            getattr(backend, 'outdated', []).clear()
            return
        if self.saved_at == before or not isinstance(backend, WholeFileBackend):
            return
        within_epoch = osp.join(glob.escape(self.out_dir), WITHIN_EPOCH.format('*'))
        for path in [*backend.outdated, *glob.glob(within_epoch)]:
            if osp.basename(path) != name and osp.exists(path):
                os.remove(path)
        backend.outdated.clear()


@HOOKS.register_module()
class SafeLoggerHook(LoggerHook):
    """mmengine's LoggerHook, which a full disk does not stop."""

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Logs an iteration."""
        with _reporting(runner):
            super().after_train_iter(runner, *args, **kwargs)

    def after_val_epoch(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Logs an evaluation."""
        with _reporting(runner):
            super().after_val_epoch(runner, *args, **kwargs)


@contextmanager
def _reporting(runner: Runner) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        runner.logger.error(f'what is logged could not be written: {error}')


def _early_stopping(runner: Runner) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]
