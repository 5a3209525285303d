"""Ends a run with a checkpoint when Slurm, torchrun or a user asks for it."""

import datetime
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.distributed import TCPStore
from torch.utils.data import DataLoader

from ...errors import UserError
from ..distributed import end_process
from .checkpoints import SafeCheckpointHook
from .loops import can_continue_here

INTERRUPTED = 75  # EX_TEMPFAIL in sysexits.h: try again later
# Slurm's and torchrun's before they kill, one that Slurm sends on request, and Ctrl-C.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ('SIGTERM', 'SIGUSR1', 'SIGINT')
    if hasattr(signal, name)
)


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Ends a run after an iteration, with a checkpoint of it, at a signal.

    The processes agree on the iteration through the key-value store in which
    torch.distributed has exchanged their addresses: no collective, nothing on a GPU.

    A process that has got a signal asks all to end two updates of the weights later.
    None can be further by then: it would have to read the loss of an update that the
    asking process has not yet contributed its gradients to, and mmengine's
    RuntimeInfoHook reads the loss in each iteration.
    """

    priority = 'LOWEST'
    received = 0  # the signal that this process has got

    def __init__(self) -> None:
        self.updates = 0
        self.last: int | None = None  # the run ends after that many updates
        self.store: TCPStore | None = None
        self.store_is_lost = False
        self.handlers: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Listens to signals from now on.

        Raises:
            UserError: If the processes have resumed from different checkpoints.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # Python has no handlers there
        if is_distributed():
            self.store = TCPStore(
                os.environ['MASTER_ADDR'],
                int(os.environ['MASTER_PORT']),
                is_master=False,
                timeout=datetime.timedelta(minutes=5),
            )
            restarts = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
            self.key = f'mmdet_eca/last_update/{restarts}'
            here = str(runner.iter)
            first = self.store.compare_set(f'mmdet_eca/begin/{restarts}', '', here)
            if first.decode() != here:
                raise UserError(
                    f'this process begins at iteration {here}, another one at '
                    f'{first.decode()}: all of them need the same work directory'
                )
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                outlive_signals(loop.dataloader)
        InterruptionHook.received = 0
        self.handlers = {number: signal.signal(number, _note) for number in SIGNALS}

    def after_train(self, runner: Runner) -> None:
        """Gives the signals back."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Ends the run if the processes have agreed on that.

        Raises:
            SystemExit: With the status 75.
        """
        if not self.handlers or not can_continue_here(runner):
            return
        self.updates += 1
        if self.store is None:
            self.last = self.updates if self.received else None
        else:
            self._agree(self.store)
        if self.last != self.updates:
            return
        for hook in runner.hooks:
            if isinstance(hook, SafeCheckpointHook) and is_main_process():
                hook.save_within_epoch(runner, runner.iter + 1)
        self._leave(runner, alone=self.store_is_lost)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Ends the run; the evaluation is repeated when it is resumed.

        Each process ends by itself: another one may have evaluated its images already,
        and wait for this one's results.

        Raises:
            SystemExit: With the status 75.
        """
        if self.received:
            self._leave(runner, alone=True)

    def _agree(self, store: TCPStore) -> None:
        """Sets after which update all processes end, if one of them has to."""
        try:
            if self.last is None and self.received:
                wish = str(self.updates + 2)
                self.last = int(store.compare_set(self.key, '', wish))
            elif self.last is None and store.check([self.key]):
                self.last = int(store.get(self.key))
        except RuntimeError:
            # torchrun has been killed, and the store with it. The first process writes
            # a checkpoint and leaves; the others then fail for the lack of it.
            InterruptionHook.received = self.received or signal.SIGTERM
            self.store_is_lost = True
            self.last = self.updates if is_main_process() else None

    def _leave(self, runner: Runner, alone: bool = False) -> None:
        name = signal.Signals(self.received or signal.SIGTERM).name
        runner.logger.warning(
            f'ends with status {INTERRUPTED} at {name}: --resume continues from here'
        )
        if not alone:
            barrier()  # the first process may still be writing
        self.after_train(runner)
        if alone:
            end_process(INTERRUPTED, alone=True)
        raise SystemExit(INTERRUPTED)


def _note(number: int, frame: Any) -> None:
    if number == signal.SIGINT:
        if InterruptionHook.received == number:
            raise KeyboardInterrupt
        # Not by print, which may be in the middle of a line.
        os.write(2, b'\nending with a checkpoint; Ctrl-C again ends at once\n')
    InterruptionHook.received = number


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

    Ends with a parent that was killed, too: torch notes its id only after this, and
    would wait indefinitely for one that was killed before.
    """
    while os.getppid() == parent:
        told = signal.sigtimedwait(SIGNALS, 5)
        if told is not None and told.si_pid == parent:
            break
    os._exit(0)
