"""Converts weights from elsewhere to mmdet_eca's names, or says why not."""

import argparse

from ..weights.convert import convert_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Known are the ECA-Net authors' ImageNet weights and detectors "
        "(MMDetection 1.x), GCNet's detectors (the same), the ImageNet weights of "
        "the authors of CBAM and GSoP-Net1, timm's ecaresnet* and seresnet*, "
        "MMPretrain's ResNet and SE-ResNet, torchvision's ResNet, and checkpoints of "
        'MMDetection 2.x, 3.x and this package, in which nothing is to be renamed.'
    )
    parser.add_argument('checkpoint', help='file to convert')
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--mmdet-version',
        help='the MMDetection that has written a detector which does not say it',
    )


def run(args: argparse.Namespace) -> None:
    print(convert_checkpoint(args.checkpoint, args.out, args.mmdet_version))
