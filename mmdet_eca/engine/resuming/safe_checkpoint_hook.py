import contextlib
import os
import os.path as osp
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from ...checkpoints.files import whole_file
from .finding import POINTER, UNFINISHED, WITHIN_EPOCH
from .loops import ResumableEpochLoop
from .removals import OUTDATED, RemoveLater


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which always leaves a checkpoint to go on from.

    mmengine removes an old file before it has written the new one. Here every file
    appears whole, and an old one is removed when the new one is on the disk. If there
    is no room for it, the run says so, keeps the old ones and goes on. A checkpoint is
    written within an epoch too, and before an evaluation, of which the newest is kept
    until the epoch's own.

    Args:
        minutes (float, optional): The longest time between two checkpoints; with None
            there are only mmengine's.
        **settings: As for mmengine's.
    """

    file_backend: Any
    keep_ckpt_ids: deque

    def __init__(self, minutes: float | None = 15, **settings: Any) -> None:
        super().__init__(**settings)
        self.minutes = minutes
        self.saved_at = 0.0
        self.saved_iter = 0
        self.within_epoch: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Takes up what an earlier process has left."""
        super().before_train(runner)
        self.saved_at = time.monotonic()
        self.saved_iter = runner.iter
        self.within_epoch = list(
            runner.message_hub.runtime_info.get('within_epoch', ())
        )
        if runner.iter:
            try:
                self._finish_removals(runner)
            except OSError as error:
                self._complain(runner, POINTER, error)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Writes mmengine's checkpoints, and one if the last is too old."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if (
            self.minutes is not None
            and is_main_process()
            and time.monotonic() - self.saved_at >= 60 * self.minutes
            and runner.may_save_within_epoch()
        ):
            self.save_within_epoch(runner)

    def save_within_epoch(self, runner: Runner) -> bool:
        """Writes a checkpoint of the iteration that has just been done.

        Returns:
            bool: Whether it could be written.
        """
        meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
        if isinstance(runner.train_loop, ResumableEpochLoop):
            meta.update(runner.train_loop.progress())
        return self._save_within_epoch(runner, meta)

    def save_before_evaluation(self, runner: Runner) -> None:
        """Writes a checkpoint if there is none of the iteration that is evaluated.

        An evaluation takes minutes, and a signal ends it at once.
        """
        if (
            self.minutes is not None
            and is_main_process()
            and self.saved_iter != runner.iter
            and runner.may_save_within_epoch()
        ):
            self._save_within_epoch(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def _save_within_epoch(self, runner: Runner, meta: dict) -> bool:
        name = WITHIN_EPOCH.format(meta['iter'])
        # With its own name, so that a later process removes what this one cannot.
        kept = [*self.within_epoch, name]
        runner.message_hub.update_info('within_epoch', kept)
        runner.logger.info(f'Saving checkpoint at {meta["iter"]} iterations')
        if not self._write(runner, name, meta):
            return False
        self._remove([old for old in self.within_epoch if old != name])
        self.within_epoch = [name]
        return True

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Writes the checkpoint of an epoch, or of an interval of iterations."""
        kept, outdated = [], []
        if self.max_keep_ckpts > 0:
            kept = [old for old in self.keep_ckpt_ids if old != step] + [step]
            outdated = kept[: -self.max_keep_ckpts]
            kept = kept[-self.max_keep_ckpts :]
            # With those that this process may not come to remove.
            runner.message_hub.update_info('keep_ckpt_ids', outdated + kept)
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', path)
        if self._write(runner, name, meta):
            self.last_ckpt = path
            if self.max_keep_ckpts > 0:
                self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            old_names = [self.filename_tmpl.format(old) for old in outdated]
            self._remove(old_names + self.within_epoch)
            self.within_epoch = []

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        hub = runner.message_hub
        before = {
            name: value
            for name, value in hub.runtime_info.items()
            if name.startswith('best_')
        }
        paths = getattr(self, 'best_ckpt_path', None)
        by_metric = dict(getattr(self, 'best_ckpt_path_dict', {}))
        try:
            with self._removing_last(hub):
                super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            self._complain(runner, 'best checkpoint', error)
            for name in [name for name in hub.runtime_info if name.startswith('best_')]:
                hub.pop_info(name)
            for name, value in before.items():
                hub.update_info(name, value)
            if by_metric:
                self.best_ckpt_path_dict = by_metric
            else:
                self.best_ckpt_path = paths

    def _finish_removals(self, runner: Runner) -> None:
        """Removes what an earlier process was about to remove when it was killed."""
        known = runner.message_hub.runtime_info
        resumed = osp.basename(str(runner._load_from))
        path = self.file_backend.join_path(self.out_dir, resumed)
        if is_main_process() and self.file_backend.exists(path):
            self._point_to(runner, resumed)  # it may be newer, and the older one goes
        outdated = [
            name
            for name in self.within_epoch
            if name != resumed and _iteration(name) <= runner.iter
        ]
        best = [
            osp.basename(path)
            for key, path in known.items()
            if key.startswith('best_ckpt')
        ]
        self._remove(outdated + [n for n in known.get(OUTDATED, ()) if n not in best])
        self.within_epoch = [n for n in self.within_epoch if n not in outdated]
        if is_main_process():
            unfinished = self.file_backend.join_path(self.out_dir, UNFINISHED)
            for path in (unfinished, _unfinished(runner)):
                if osp.exists(path):
                    os.remove(path)

    @contextlib.contextmanager
    def _removing_last(self, hub: MessageHub) -> Iterator[None]:
        """Puts off what mmengine removes until the block has ended well."""
        backend, later = self.file_backend, RemoveLater(self.file_backend, hub)
        self.file_backend = later
        try:
            yield
        except BaseException:
            later.forget()
            raise
        finally:
            self.file_backend = backend
        later.remove_now()

    def _write(self, runner: Runner, name: str, meta: dict) -> bool:
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                self._point_to(runner, name)
        except OSError as error:
            self._complain(runner, name, error)
            return False
        finally:
            self.saved_at = time.monotonic()
            self.saved_iter = meta['iter']
        return True

    def _point_to(self, runner: Runner, name: str) -> None:
        """Writes into ``last_checkpoint`` which one is the newest."""
        pointer, unfinished = osp.join(runner.work_dir, POINTER), _unfinished(runner)
        with whole_file(pointer, unfinished), open(unfinished, 'w') as file:
            file.write(self.file_backend.join_path(self.out_dir, name))

    def _complain(self, runner: Runner, name: str, error: OSError) -> None:
        runner.logger.error(
            f'{name} could not be written, and the older checkpoints are kept: {error}'
        )

    def _remove(self, names: list[str]) -> None:
        if not is_main_process():
            return
        for name in names:
            path = self.file_backend.join_path(self.out_dir, name)
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # by deepspeed
                self.file_backend.rmtree(path)


def _iteration(name: str) -> int:
    """The iteration in the name of a checkpoint within an epoch."""
    before, after = WITHIN_EPOCH.split('{}')
    return int(name[len(before) : -len(after)])


def _unfinished(runner: Runner) -> str:
    return osp.join(runner.work_dir, f'{POINTER}.tmp')
