import os
import sys
from contextlib import contextmanager
from typing import Iterator

from ..errors import UserError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends a command-line tool on a UserError with its message and status 1.

    Of several processes the first one speaks.
    """
    try:
        yield
    except UserError as error:
        rank = os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0'))
        sys.exit(f'{sys.argv[0]}: error: {error}' if rank == '0' else 1)
