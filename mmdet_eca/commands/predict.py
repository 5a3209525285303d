"""Detects objects in images or a video: results as COCO's JSON and as pictures."""

import argparse

from ..inference import predict
from ..training.cli import add_cfg_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'OUT gets predictions.json, the detections in the format of COCO results; '
        'images.json, the images and categories; and vis/, the pictures or the video.'
    )
    parser.add_argument('config', help="the detector's config")
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='IMAGE|FOLDER|GLOB|VIDEO',
        help="images, folders of images, patterns such as 'photos/*.jpg', or one video",
    )
    parser.add_argument(
        '--out',
        default='work_dirs/predict',
        help='folder for the results, new or empty (default: work_dirs/predict)',
    )
    parser.add_argument(
        '--score',
        type=float,
        default=0.3,
        help='lowest score of a detection that is drawn; predictions.json has all, but '
        'with --slices those from here on (default: 0.3)',
    )
    parser.add_argument(
        '--device', help='cpu, cuda or cuda:N; by default the GPU, if any'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        help='images at once (default: 1); images of several sizes are padded to one, '
        'which changes the results a little',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='half precision: float16 on a GPU, bfloat16 on a CPU that has it',
    )
    parser.add_argument(
        '--slices',
        type=int,
        metavar='SIZE',
        help='for small objects in large images: cut them into squares of SIZE pixels, '
        'with sahi',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--no-labels', action='store_true', help='draw no names and scores'
    )
    parser.add_argument(
        '--no-vis', action='store_true', help='draw nothing, which saves time'
    )


def run(args: argparse.Namespace) -> None:
    print(
        predict(
            args.config,
            args.checkpoint,
            args.inputs,
            args.out,
            args.score,
            args.device,
            args.batch_size,
            args.amp,
            args.slices,
            draw=not args.no_vis,
            labels=not args.no_labels,
            cfg_options=args.cfg_options,
        )
    )
