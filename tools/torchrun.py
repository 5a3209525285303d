"""torchrun that says in a line why it ends, if no worker has said so.

torchrun's log options change the output of the workers only. It would also start
more processes than the machine has GPUs, each of which then fails by itself.
"""

import os
import signal
import sys
import time

import torch
from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

INTERRUPTED = 75  # what a training ends with at a signal, see docs/commands.md


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
    # A training that is started again goes on from what it has written since now.
    os.environ['MMDET_ECA_LAUNCHED'] = str(time.time())
    os.environ['MMDET_ECA_LAUNCHER'] = str(os.getpid())  # with which they end
    # torchrun hands SIGTERM on, waits 30 s and kills; SIGUSR1 would end it alone.
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        run.run(args)
    except SignalException as error:
        asked = error.sigval == signal.SIGTERM
        sys.exit(INTERRUPTED if asked else 128 + error.sigval)
    except ChildFailedError as error:
        # Those that were killed: the others have failed because of them.
        by_time = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
        rank, failure = min(by_time, key=lambda item: not _was_killed(item[1]))
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            sys.exit(f'error: rank {rank} was killed by {name}')
        sys.exit(failure.exitcode)


def _was_killed(failure):
    """Whether by a signal that torchrun does not send itself."""
    return failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM


if __name__ == '__main__':
    main()
