"""torchrun that prints no traceback of its own when a worker has failed.

torchrun's log options change the output of the workers only. It would also start
more processes than the machine has GPUs, each of which then fails by itself.
"""

import sys

import torch
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


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
    try:
        run.run(args)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)


if __name__ == '__main__':
    main()
