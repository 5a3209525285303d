"""Writes a config that trains a detector on your own data, a COCO annotation file."""

import argparse

from ..data import write_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'The files are checked first. Classes, starting weights, scale, batch and '
        'learning rate are set, each with its reason as a comment.'
    )
    parser.add_argument('annotations', help='COCO annotation file for training')
    parser.add_argument('images', help='folder that its file names are relative to')
    parser.add_argument(
        '--val',
        nargs=2,
        metavar=('ANNOTATIONS', 'IMAGES'),
        help='the same for validation (default: a tenth of the training images)',
    )
    parser.add_argument(
        '--detector',
        help='a detector of configs/ (default: mask_rcnn_eca_r50, without masks '
        'faster_rcnn_eca_r50)',
    )
    parser.add_argument(
        '--load-from',
        metavar='CHECKPOINT',
        help="a detector's checkpoint to start from, with or without attention, a file "
        'or an address (default: ImageNet weights of the backbone)',
    )
    parser.add_argument(
        '--gpus',
        type=int,
        help='number of GPUs to train on, 0 for the CPU (default: those here)',
    )
    parser.add_argument('--epochs', type=int, help='number of epochs (default: 12)')
    parser.add_argument(
        '--scale',
        type=int,
        help='shorter side that images are resized to, in pixels (default: by the '
        'sizes of images and objects; COCO: 800)',
    )
    parser.add_argument(
        '--batch-size', type=int, help='images on each GPU (default: 2; 1 on the CPU)'
    )
    parser.add_argument(
        '--depth', type=int, help='depth of the ResNet: 18, 34, 50, 101 or 152'
    )
    parser.add_argument(
        '--from-scratch', action='store_true', help='start from random weights'
    )
    parser.add_argument(
        '--out', default='my_config.py', help='config to write (default: my_config.py)'
    )


def run(args: argparse.Namespace) -> None:
    print(
        write_config(
            args.annotations,
            args.images,
            args.out,
            val=args.val,
            detector=args.detector,
            load_from=args.load_from,
            gpus=args.gpus,
            epochs=args.epochs,
            scale=args.scale,
            batch_size=args.batch_size,
            depth=args.depth,
            from_scratch=args.from_scratch,
        )
    )
