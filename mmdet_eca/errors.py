"""A user's mistake, and how a command-line tool tells it."""

import os
import os.path as osp
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import Iterator, Optional

# Who a process is among many, by torchrun, Slurm and Open MPI.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_WORLD_SIZES = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')
# What tells one launch from another, beside the process that started it.
_LAUNCH = (
    'TORCHELASTIC_RUN_ID',
    'TORCHELASTIC_RESTART_COUNT',
    'MASTER_PORT',
    'SLURM_JOB_ID',
    'SLURM_STEP_ID',
    'PMIX_NAMESPACE',
)
# Processes that fail alike fail within this many seconds of each other.
_TOGETHER = 60


class UserError(ValueError):
    """A mistake in a config, an argument or a file, not in the code.

    The message names the value and what would be right; the command-line tools
    print it without a traceback.
    """


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends a command-line tool on a UserError with its message and status 1.

    Of the processes of one launch, the first that fails on each machine speaks
    and names its rank; those that fail beside it within a minute end silently.
    """
    try:
        yield
    except UserError as error:
        if int(_first_set(_WORLD_SIZES) or 1) == 1:
            sys.exit(f'{sys.argv[0]}: error: {error}')
        rank = _first_set(_RANKS)
        sys.exit(
            f'{sys.argv[0]}: error (rank {rank}): {error}' if _is_first(rank) else 1
        )


def _first_set(names) -> Optional[str]:
    return next((os.environ[name] for name in names if name in os.environ), None)


def _is_first(rank: Optional[str]) -> bool:
    """Whether no other process of this launch has failed here just now.

    Torchrun, srun and mpirun start the processes of a machine from one process,
    so its number names a file that the first one to fail creates. When in doubt
    a process speaks.
    """
    launch = '-'.join(os.environ.get(name, '') for name in _LAUNCH)
    name = ''.join(c if c.isalnum() else '-' for c in launch)
    path = osp.join(tempfile.gettempdir(), f'mmdet_eca-error-{os.getppid()}-{name}')
    try:
        try:
            _create(path, rank)
        except FileExistsError:
            with open(path) as file:
                speaker = file.read()
            # Its own file, or an old one, is of an earlier launch.
            if speaker != rank and time.time() - osp.getmtime(path) < _TOGETHER:
                return False
            os.remove(path)
            _create(path, rank)
    except OSError:
        pass
    return True


def _create(path: str, rank: Optional[str]) -> None:
    with open(path, 'x') as file:
        file.write(str(rank))
