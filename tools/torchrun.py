"""torchrun that says in a line why it ends, if no worker has said so.

torchrun's log options change the output of the workers only. It would also start
more processes than the machine has GPUs, each of which then fails by itself.
"""

import os
import signal
import socket
import sys

import torch
from torch.distributed import DistNetworkError, run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

INTERRUPTED = 75  # what a training ends with at a signal, see docs/train.md


def main():
    args = run.get_args_parser().parse_args()
    gpus = torch.cuda.device_count()
    try:  # a number, or torchrun's words: gpu, cpu, auto
        processes = run.determine_local_world_size(args.nproc_per_node)
    except ValueError as error:
        sys.exit(f'error: --nproc-per-node={args.nproc_per_node}: {error}')
    if gpus and processes > gpus:
        sys.exit(
            f'error: {processes} processes, but {gpus} GPUs on '
            'this machine: start at most one process a GPU'
        )
    if args.master_port == 0:
        with socket.socket() as free:
            free.bind((args.master_addr, 0))
            args.master_port = free.getsockname()[1]
    os.environ['MMDET_ECA_LAUNCHER'] = str(os.getpid())  # with which they end
    # torchrun hands SIGTERM on, waits 30 s and kills; SIGUSR1 would end it alone.
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        run.run(args)
    except SignalException as error:
        asked = error.sigval in (signal.SIGTERM, signal.SIGINT)
        sys.exit(INTERRUPTED if asked else 128 + error.sigval)
    except RuntimeError as error:  # torch 2.6 has no class of its own for it
        if not (isinstance(error, DistNetworkError) or 'EADDRINUSE' in str(error)):
            raise
        reason = str(error).splitlines()[0]
        sys.exit(
            f'error: {args.master_addr}:{args.master_port} cannot be used ({reason}); '
            'MASTER_ADDR is the first machine, and PORT a free port on it'
        )
    except ChildFailedError as error:
        rank, failure = min(error.failures.items(), key=_consequence)
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            sys.exit(f'error: rank {rank} was killed by {name}')
        sys.exit(failure.exitcode)


def _consequence(item):
    """Orders failed ranks: the others have failed because of the first.

    It was killed by a signal, though not by the one that torchrun sends itself, or it
    was interrupted, or it has failed first.
    """
    failure = item[1]
    killed = failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM
    return not killed, failure.exitcode != INTERRUPTED, failure.timestamp


if __name__ == '__main__':
    main()
