"""Writes Digits-COCO, the embedded detection data set of handwritten digits."""

import argparse

from mmdet_eca.digits import make_digits
from mmdet_eca.errors import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--out', default='data/digits', help='folder to write')
    parser.add_argument('--num-train', type=int, default=1000, help='training images')
    parser.add_argument('--num-val', type=int, default=150, help='validation images')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        print(make_digits(args.out, args.num_train, args.num_val, args.seed))
