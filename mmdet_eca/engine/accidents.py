"""What the end of another process does to a run, in words.

torch reports it where it notices it: as an error of the connection, or of whatever
line of Python ran when a worker of a data loader ended.
"""

import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import UserError

_LOST = re.compile(
    r'closed by peer|reset by peer|broken pipe|refused|timed? ?out|communicator was '
    r'aborted|remote process exited|recvValue failed|failed to recv|to connect',
    re.IGNORECASE,
)
_WORKER = re.compile(
    r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: (\w+))?'
)


@contextmanager
def explained_accidents() -> Iterator[None]:
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
        message = _explain_worker(error) or _explain_rank(error)
        if message is None:
            raise
        raise UserError(message) from None


def _explain_worker(error: BaseException) -> str | None:
    """Tells that a worker of a data loader has ended, if the error comes from that."""
    found = None
    cause: BaseException | None = error
    while cause is not None:  # the first of them may name the signal
        found = _WORKER.search(str(cause)) or found
        cause = cause.__context__
    # It was ended while it sent a batch.
    frames = traceback.walk_tb(error.__traceback__)
    in_queue = isinstance(error, (OSError, EOFError)) and any(
        frame.f_code.co_name == '_try_get_data' for frame, _ in frames
    )
    if found is None and not in_queue:
        return None
    how = f' by a signal ({found[2]})' if found and found[2] else ''
    return (
        f'a worker of a data loader has been ended{how}: often the machine has too '
        'little memory for so many, see num_workers; with --resume a training goes on '
        'from its newest checkpoint'
    )


def _explain_rank(error: BaseException) -> str | None:
    """Tells that another process has ended, if the error is one of a connection."""
    # torch 2.1 has no class for all of them, and gloo raises RuntimeError everywhere.
    names = ('DistError', 'DistBackendError', 'DistNetworkError')
    kinds = tuple(getattr(torch.distributed, name, UserError) for name in names)
    text = str(error)
    if not isinstance(error, (RuntimeError, OSError, EOFError)):
        return None
    if not (isinstance(error, kinds) or re.search('gloo|NCCL|TCPStore', text)):
        return None
    if not _LOST.search(text):
        return None
    return (
        'another process of this run has ended, and says why itself; this one has '
        f'noticed: {text.splitlines()[0][:200]}'
    )
