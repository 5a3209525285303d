"""What a run does when Slurm, torchrun or a user asks it to end."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import distributed
from torch.utils.data import DataLoader

from ..distributed import end_process
from .safe_checkpoint_hook import SafeCheckpointHook

INTERRUPTED = 75  # EX_TEMPFAIL in sysexits.h: try again later
# Slurm's and torchrun's signal before they kill, and one that Slurm sends on request.
SIGNALS = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1') if hasattr(signal, name)
)


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Ends a run after the next iteration, with a checkpoint of it, at a signal.

    All processes end after the same iteration: in each one of them they tell each
    other, while it runs, whether one has got a signal.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.received = 0
        self.group: distributed.ProcessGroup | None = None
        self.told: tuple[torch.Tensor, Any] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Notes the signals that the process gets during the block.

        If another process has left already, so that this one cannot go on, it leaves
        too.

        Raises:
            SystemExit: With the status 75.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # Python has no handlers there
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        except RuntimeError:  # torch's, of a broken connection
            if self.received and is_distributed():
                end_process(INTERRUPTED, wait=False)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        self.received = number

    def before_train(self, runner: Runner) -> None:
        """Opens a channel between the processes' CPUs."""
        if is_distributed():
            self.group = distributed.new_group(backend='gloo')

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Starts to tell the other processes."""
        if self.group is not None:
            number = torch.tensor([self.received])
            work = distributed.all_reduce(
                number, distributed.ReduceOp.MAX, self.group, async_op=True
            )
            self.told = number, work

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Ends the run if a process has got a signal.

        Raises:
            SystemExit: With the status 75.
        """
        received = self.received
        if self.told is not None:
            number, work = self.told
            work.wait()
            received = int(number)
        if received and runner.may_save_within_epoch():
            _write_checkpoint(runner)
            _leave(runner, received)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Ends the run; the evaluation is done anew when it is resumed.

        Each process by itself: another one may have evaluated its images already, and
        wait for this one's results.

        Raises:
            SystemExit: With the status 75.
        """
        if self.received:
            _leave(runner, self.received, alone=True)


def _write_checkpoint(runner: Runner) -> None:
    for hook in runner.hooks:
        if isinstance(hook, SafeCheckpointHook) and is_main_process():
            hook.save_within_epoch(runner)


def _leave(runner: Runner, number: int, alone: bool = False) -> None:
    runner.logger.warning(
        f'ends with status {INTERRUPTED} at {signal.Signals(number).name}: '
        '--resume goes on from here'
    )
    if alone:
        end_process(INTERRUPTED, wait=False)
    raise SystemExit(INTERRUPTED)


def outlive_signals(loader: DataLoader) -> None:
    """Makes a data loader's workers live on when the whole job gets a signal.

    torch ends the run at once if one of them is killed.
    """
    if hasattr(signal, 'sigtimedwait'):  # not on macOS
        loader.worker_init_fn = partial(
            _start_worker, os.getpid(), loader.worker_init_fn
        )


def _start_worker(parent: int, init: Callable[[int], None] | None, worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if init is not None:
        init(worker)


def _end_with(parent: int) -> None:
    """Obeys a signal only if the parent has sent it, as torch does in the end.

    And ends when the parent has been killed. torch asks a worker's first parent only
    after this, so that it would wait for ever for one that was killed before.
    """
    while os.getppid() == parent:
        told = signal.sigtimedwait(SIGNALS, 5)
        if told is not None and told.si_pid == parent:
            break
    os._exit(0)
