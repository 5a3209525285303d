"""Explains the end of another process, which torch reports in many ways."""

import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from torch.utils.data import dataloader

from ..errors import UserError

_WORKER = re.compile(r'DataLoader worker \(pid.*?\) (?:is killed by signal: (\w+))?')
_RANK = re.compile(
    r'(?=.*(?:gloo|NCCL|TCPStore)).*(?:closed by peer|reset by peer|broken pipe|'
    r'was aborted|process exited|recvValue failed|failed to recv)',
    re.IGNORECASE | re.DOTALL,
)


@contextmanager
def explained_lost_processes() -> Iterator[None]:
    """Raises a UserError for the end of another process during the block.

    Raises:
        UserError: If another process of a distributed run or a worker of a data loader
            has ended.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever has caught that of torch may raise another
        if threading.current_thread() is threading.main_thread():
            # torch's handler would report a worker again, wherever Python is then.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker = None
        cause: BaseException | None = error
        while cause is not None:  # the first of them may name the signal
            worker = _WORKER.search(str(cause)) or worker
            cause = cause.__context__
        if worker or _while_it_sends(error):
            how = f' by a signal ({worker[1]})' if worker and worker[1] else ''
            raise UserError(
                f'a worker of a data loader has been ended{how}: often the machine has '
                'too little memory for so many, see num_workers; with --resume a '
                'training continues from its newest checkpoint'
            ) from None
        if isinstance(error, RuntimeError) and _RANK.match(str(error)):
            raise UserError(
                'another process of this run has ended, and says why itself; this one '
                f'has noticed: {str(error).splitlines()[0][:200]}'
            ) from None
        raise


def _while_it_sends(error: Exception) -> bool:
    """Returns True if a worker has ended in the middle of a batch."""
    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(error, (OSError, EOFError)) and any(
        frame.f_code.co_filename == dataloader.__file__ for frame, _ in frames
    )
