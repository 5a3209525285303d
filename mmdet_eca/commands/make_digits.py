"""Writes Digits-COCO, the embedded detection data set of handwritten digits."""

import argparse

from ..digits import make_digits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument('--out', default='data/digits', help='folder to write')
    parser.add_argument('--num-train', type=int, default=1000, help='training images')
    parser.add_argument('--num-val', type=int, default=150, help='validation images')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    parser.add_argument(
        '--scenes',
        action='store_true',
        help='harder digits, in images that say as a whole which digits to expect',
    )


def run(args: argparse.Namespace) -> None:
    print(make_digits(args.out, args.num_train, args.num_val, args.seed, args.scenes))
