"""Measures how fast parts of this package are on this machine."""

import argparse
import warnings

from ...benchmark import benchmark_model, benchmark_operators, count_model
from ...pretraining import benchmark_data
from .options import add_common, add_device, add_out, add_rows
from .table3 import add_table3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    _add_model(commands)
    add_table3(commands)
    _add_operators(commands)
    _add_data(commands)


def run(args: argparse.Namespace) -> None:
    # mmengine's, once for every config that is read.
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
    print(args.measure(args))


def _add_model(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'model',
        help='time and memory of detectors or backbones, relative to the first',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_rows(parser, '; or, of backbones, timm:NAME or mmpretrain:TYPE')
    parser.add_argument(
        '--backbone-only', action='store_true', help='not the whole detector'
    )
    add_common(parser)
    parser.add_argument(
        '--max-saved',
        type=float,
        help='fail if the last row saves more than this part of the first '
        "row's activations",
    )
    parser.add_argument(
        '--count',
        action='store_true',
        help='count operations and bytes of the backbones as they run on a GPU, '
        'without one, instead of measuring',
    )
    parser.set_defaults(
        measure=lambda args: (
            count_model(args.rows, args.batch_size, tuple(args.size), args.out)
            if args.count
            else benchmark_model(
                args.rows,
                args.backbone_only,
                args.batch_size,
                tuple(args.size),
                args.rounds,
                args.out,
                args.max_saved,
                args.device,
            )
        )
    )


def _add_operators(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'operators',
        help="mmcv_operators beside mmcv's compiled operators, where mmcv has them",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--rounds', type=int, default=7, help='of each operator')
    add_device(parser)
    add_out(parser)
    parser.set_defaults(
        measure=lambda args: benchmark_operators(args.rounds, args.out, args.device)
    )


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'data',
        help="ImageNet's input pipeline beside mmcv's and beside decoding",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        '--num-images', type=int, default=128, help='JPEGs of each size'
    )
    parser.add_argument('--rounds', type=int, default=9, help='of each reader')
    parser.add_argument('--crop-size', type=int, default=224, help='side of the crops')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.set_defaults(
        measure=lambda args: benchmark_data(
            args.num_images, args.rounds, args.crop_size, args.batch_size
        )
    )
