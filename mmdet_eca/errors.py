"""A user's mistake, and how a command-line tool reports it."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# The rank of a process among all and on its machine, and the number of all, as
# torchrun, Slurm and Open MPI name them.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_LOCAL_RANKS = ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK')
_WORLD_SIZES = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')
_LONGEST = 1500  # characters of a message
_PATIENCE = 5  # seconds in which a launcher ends the others when one has failed


class UserError(ValueError):
    """A mistake in a config, an argument or a file, not in the code.

    The message names the value and what would be right; the command-line tools
    print it without a traceback. It is one line, whatever the value has in it: names
    in files can have line breaks, or characters that move a terminal's cursor.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Escapes the unprintable characters of a text, and shortens one beyond 1500."""
    if len(text) > _LONGEST:
        text = f'{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}'
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def first_few(names: Sequence[str], limit: int = 5) -> str:
    """Returns 'a, b, c, ...': at most ``limit`` of the names, for a message."""
    return ', '.join(names[:limit]) + (', ...' if len(names) > limit else '')


@contextmanager
def one_line_errors(program: str | None = None) -> Iterator[None]:
    """Ends a command-line tool on a UserError with its message and status 1.

    The message begins with ``program``, by default the file that Python runs.

    In a launch of several processes the message names the rank. The first process of a
    machine prints it at once. The others wait a few seconds: if they have failed for
    the same reason, the launcher ends them before they repeat it.
    """
    try:
        yield
    except UserError as error:
        program = program or sys.argv[0]
        if int(_first_set(_WORLD_SIZES) or 1) == 1:
            sys.exit(f'{program}: error: {error}')
        if _first_set(_LOCAL_RANKS) != '0':
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            time.sleep(_PATIENCE)
        sys.exit(f'{program}: error (rank {_first_set(_RANKS)}): {error}')


def _first_set(names: Sequence[str]) -> str | None:
    """Returns the value of the first environment variable that is set."""
    return next((os.environ[name] for name in names if name in os.environ), None)
