"""Measures how fast parts of this package are on this machine."""

import argparse
import warnings

from ...benchmark import benchmark_evaluation
from ...inference import benchmark_predict
from ...pretraining import benchmark_data
from .networks import add_growth, add_model, add_parts, add_tail
from .options import add_out
from .table3 import add_table3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    add_model(commands)
    add_parts(commands)
    add_tail(commands)
    add_table3(commands)
    add_growth(commands)
    _add_data(commands)
    _add_predict(commands)
    _add_evaluation(commands)


def run(args: argparse.Namespace) -> None:
    # mmengine's, once for every config that is read.
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
    print(args.measure(args))


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


def _add_predict(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'predict',
        help='what reading, drawing and writing cost beside the network alone',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('config', help="the detector's config")
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('inputs', nargs='+', metavar='IMAGE|FOLDER|GLOB')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=3, help='of each of the two')
    parser.add_argument(
        '--device', help='cpu, cuda or cuda:N; by default the GPU, if any'
    )
    parser.set_defaults(
        measure=lambda args: benchmark_predict(
            args.config,
            args.checkpoint,
            args.inputs,
            args.batch_size,
            args.rounds,
            args.device,
        )
    )


def _add_evaluation(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'evaluation',
        help="COCO's evaluation by faster-coco-eval beside pycocotools",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--images', type=int, default=5000, help='drawn at random')
    parser.add_argument('--classes', type=int, default=80)
    parser.add_argument('--per-image', type=int, default=100, help='detections')
    parser.add_argument('--rounds', type=int, default=3, help='of each of the two')
    add_out(parser)
    parser.set_defaults(
        measure=lambda args: benchmark_evaluation(
            args.images, args.classes, args.per_image, args.rounds, args.out
        )
    )
