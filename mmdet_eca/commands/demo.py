"""Trains and evaluates a small Mask R-CNN with an ECA backbone on Digits-COCO."""

import argparse
import os
import sys

import torch

from ..config_paths import tool_path
from ..dependencies import operators_run_on_gpus
from ..digits import run_demo
from ..training.distributed import has_accelerator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument(
        '--config',
        default='configs/digits/mask_rcnn_eca_r50_digits.py',
        help='a digits config, of the current folder or of this package',
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/demo', help='folder of the results'
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch'],
        default='none',
        help=argparse.SUPPRESS,
    )


def run(args: argparse.Namespace) -> None:
    # mmengine asks for GPUs when it is imported, and CUDA reads the variable once.
    if torch.cuda.is_available() and not operators_run_on_gpus():
        print('The demo runs on the CPU: mmcv has no operators for the GPU.')
        _restart(args, [], CUDA_VISIBLE_DEVICES='-1')
    threads = torch.get_num_threads()
    if args.launcher == 'none' and threads > 1 and not has_accelerator():
        # Two processes of half a batch are faster than two threads of one.
        torchrun = [tool_path('torchrun.py'), '--nproc-per-node=2', '--master-port=0']
        env = dict(OMP_NUM_THREADS=str(threads // 2))
        _restart(args, torchrun, '--launcher=pytorch', **env)
    run_demo(args.config, args.work_dir, args.seed, args.launcher)


def _restart(
    args: argparse.Namespace, starter: list[str], *options: str, **env: str
) -> None:
    sys.stdout.flush()
    words = ['demo', '--config', args.config, '--work-dir', args.work_dir]
    words += ['--seed', str(args.seed), *options]
    # This Python, without a shell.
    os.execve(  # nosec B606
        sys.executable,
        [sys.executable, *starter, '-m', 'mmdet_eca', *words],
        {**os.environ, **env},
    )
