"""Measures how fast parts of this package are on this machine."""
import argparse

from mmdet_eca.benchmark import benchmark_data
from mmdet_eca.engine import one_line_errors


def add_data(commands):
    parser = commands.add_parser(
        'data',
        help='ImageNet\'s input pipeline beside mmcv\'s and beside decoding',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--num-images', type=int, default=64, help='JPEGs of each size')
    parser.add_argument('--rounds', type=int, default=9, help='of each reader')
    parser.add_argument(
        '--crop-size', type=int, default=224, help='side of the crops')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.set_defaults(run=lambda args: benchmark_data(
        args.num_images, args.rounds, args.crop_size, args.batch_size))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    add_data(commands)
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        print(args.run(args))
