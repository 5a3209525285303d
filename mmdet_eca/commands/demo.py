"""Trains and evaluates a small Mask R-CNN with an ECA backbone on Digits-COCO."""

import argparse
import os
import sys

import torch

from ..dependencies import operators_run_on_gpus
from ..digits import run_demo


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


def run(args: argparse.Namespace) -> None:
    # mmengine asks for GPUs when it is imported, and CUDA reads the variable once.
    if torch.cuda.is_available() and not operators_run_on_gpus():
        print('The demo runs on the CPU: mmcv has no operators for the GPU.')
        _restart_without_gpus(args)
    run_demo(args.config, args.work_dir, args.seed)


def _restart_without_gpus(args: argparse.Namespace) -> None:
    sys.stdout.flush()
    words = ['demo', '--config', args.config, '--work-dir', args.work_dir]
    # This Python, without a shell.
    os.execve(  # nosec B606
        sys.executable,
        [sys.executable, '-m', 'mmdet_eca', *words, '--seed', str(args.seed)],
        {**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'},
    )
