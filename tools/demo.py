"""Trains and evaluates a small Mask R-CNN with an ECA backbone on Digits-COCO."""

import os

# mmcv's ops may be compiled for the CPU only, on a machine that has a GPU.
from mmcv.ops import get_compiling_cuda_version

if get_compiling_cuda_version() == 'not available':
    os.environ['CUDA_VISIBLE_DEVICES'] = '-1'

import argparse  # noqa: E402

from mmdet_eca.digits import run_demo  # noqa: E402
from mmdet_eca.errors import one_line_errors  # noqa: E402


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        '--config',
        default='configs/digits/mask_rcnn_eca_r50_digits.py',
        help='a digits config, of the current folder or of this package',
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/demo', help='folder of the results'
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        run_demo(args.config, args.work_dir, args.seed)
