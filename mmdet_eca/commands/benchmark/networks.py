"""Benchmarks of detectors, backbones and the ends of their blocks."""

import argparse

from ...benchmark import (
    benchmark_growth,
    benchmark_model,
    benchmark_parts,
    benchmark_tail,
)
from .options import add_common, add_rows


def add_model(commands: argparse._SubParsersAction) -> None:
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
    parser.set_defaults(
        measure=lambda args: benchmark_model(
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


def add_parts(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'parts',
        help='where the time of whole detectors goes, relative to the first',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_rows(parser)
    add_common(parser, 1)
    parser.set_defaults(
        rounds=3,
        measure=lambda args: benchmark_parts(
            args.rows,
            args.batch_size,
            tuple(args.size),
            args.rounds,
            args.out,
            args.device,
        ),
    )


def add_growth(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'growth',
        help='time and memory as images and batches grow',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        'rows',
        nargs='*',
        metavar='CONFIG[@OPTION...]',
        help="as of model; without any, the paper's ImageNet classifiers resnet50 and "
        'eca_resnet50',
    )
    parser.add_argument(
        '--backbone-only', action='store_true', help='not the whole detector'
    )
    parser.add_argument(
        '--sides',
        type=int,
        nargs='+',
        default=[128, 192, 256, 320],
        help='of square images in pixels, --batch-size of them at once',
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[2, 4, 6, 8],
        help='images of --size at once',
    )
    add_common(parser, 4, (224, 224))
    parser.set_defaults(
        measure=lambda args: benchmark_growth(
            args.rows,
            args.sides,
            args.batch_sizes,
            args.batch_size,
            tuple(args.size),
            args.rounds,
            args.out,
            args.backbone_only,
            args.device,
        )
    )


def add_tail(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'tail',
        help="both forms of the backward pass of a block's folded end",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_common(parser)
    parser.set_defaults(
        measure=lambda args: benchmark_tail(
            args.batch_size, tuple(args.size), args.rounds, args.out, args.device
        )
    )
