"""Shows what a detector's attention does: gates, class-activation maps, differences."""

import argparse

from ..errors import UserError
from ..explanation import METHODS, PARTS, Settings, show_attention
from ..training.cli import add_cfg_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'Class-activation maps need the package grad-cam and a torchvision that runs '
        "beside torch: pip install 'mmdet_eca[explain]'."
    )
    parser.add_argument('config', help='config of a detector with attention')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('images', nargs='*', help='files, folders and patterns')
    parser.add_argument(
        '--data',
        action='store_true',
        help="take the config's data set for tests, with its annotations",
    )
    parser.add_argument(
        '--max-images',
        type=int,
        default=100,
        help='how many of the data set (default: 100)',
    )
    parser.add_argument(
        '--plain',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='the same detector without attention, to compare with',
    )
    parser.add_argument(
        '--show',
        nargs='+',
        choices=PARTS,
        help='what to show: the gates, class-activation maps, and the differences from '
        '--plain (default: all)',
    )
    parser.add_argument(
        '--out',
        default='work_dirs/attention',
        help='folder for the results (default: work_dirs/attention)',
    )
    parser.add_argument(
        '--score',
        type=float,
        default=0.3,
        help='lowest score of a detection that counts (default: 0.3)',
    )
    parser.add_argument(
        '--detections',
        type=int,
        default=3,
        help='detections of an image that get a map (default: 3)',
    )
    parser.add_argument(
        '--pictures',
        type=int,
        default=10,
        help='images that are drawn; all count in the figures (default: 10)',
    )
    parser.add_argument(
        '--cam',
        choices=METHODS,
        default=METHODS[0],
        help=f'how the maps are made (default: {METHODS[0]})',
    )
    add_cfg_options(parser)
    parser.add_argument('--device', help="'cpu', 'cuda:0', ... (default: the GPU)")


def run(args: argparse.Namespace) -> None:
    if bool(args.images) == args.data:
        raise UserError('name images, or give --data for the data set; not both')
    for name in ('max_images', 'detections', 'pictures'):
        if getattr(args, name) < 1:
            option = name.replace('_', '-')
            raise UserError(f'--{option} must be at least 1, got {getattr(args, name)}')
    show_attention(
        args.config,
        args.checkpoint,
        args.images,
        args.max_images,
        args.plain,
        args.out,
        Settings(args.show, args.score, args.detections, args.pictures, args.cam),
        args.device,
        args.cfg_options,
    )
