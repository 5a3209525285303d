"""A user's mistake, and how a command-line tool reports it."""

import os
import os.path as osp
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# The rank of a process and the number of all, as torchrun, Slurm and Open MPI
# name them.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_WORLD_SIZES = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')
# These tell one launch from another, together with the parent process.
_LAUNCH = (
    'TORCHELASTIC_RUN_ID',
    'TORCHELASTIC_RESTART_COUNT',
    'MASTER_PORT',
    'SLURM_JOB_ID',
    'SLURM_STEP_ID',
    'PMIX_NAMESPACE',
)
_LONGEST = 1500  # characters of a message
# Processes that fail for the same reason fail within this many seconds.
_SAME_FAILURE = 60


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

    Of the processes of one launch, the first that fails on each machine prints
    the message with its rank; those that fail within a minute after it print
    nothing. mmengine's ``master_only`` would hide a mistake that rank 0 does not
    meet, such as a second machine without the data set, and torchrun reports with
    tracebacks of its own.
    """
    try:
        yield
    except UserError as error:
        program = program or sys.argv[0]
        if int(_first_set(_WORLD_SIZES) or 1) == 1:
            sys.exit(f'{program}: error: {error}')
        rank = _first_set(_RANKS)
        sys.exit(
            f'{program}: error (rank {rank}): {error}' if _is_first_to_fail(rank) else 1
        )


def _first_set(names: Sequence[str]) -> str | None:
    """Returns the value of the first environment variable that is set."""
    return next((os.environ[name] for name in names if name in os.environ), None)


def _is_first_to_fail(rank: str | None) -> bool:
    """Whether no other process of this launch has just failed on this machine.

    Torchrun, srun and mpirun start the processes of a machine from one parent, so
    the parent's process id names a file that the first one to fail creates. If
    that file cannot be written, every process counts as the first.
    """
    launch = '-'.join(os.environ.get(name, '') for name in _LAUNCH)
    name = ''.join(c if c.isalnum() else '-' for c in launch)
    path = osp.join(tempfile.gettempdir(), f'mmdet_eca-error-{os.getppid()}-{name}')
    try:
        try:
            _create(path, rank)
        except FileExistsError:
            with open(path) as file:
                first_rank = file.read()
            # A file with this rank, or an old one, is from an earlier launch.
            if first_rank != rank and time.time() - osp.getmtime(path) < _SAME_FAILURE:
                return False
            os.remove(path)
            _create(path, rank)
    except OSError:
        pass
    return True


def _create(path: str, rank: str | None) -> None:
    with open(path, 'x') as file:
        file.write(str(rank))
