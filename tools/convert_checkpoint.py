"""Converts weights from elsewhere to mmdet_eca's names, or says why not."""

import argparse

from mmdet_eca.checkpoints import convert_checkpoint
from mmdet_eca.errors import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Known are the ECA-Net authors' ImageNet weights and detectors "
        "(MMDetection 1.x), timm's ecaresnet*d, MMPretrain's ResNet and "
        "SE-ResNet, torchvision's ResNet, and checkpoints of MMDetection 2.x, 3.x "
        'and this package, in which nothing is to be renamed.',
    )
    parser.add_argument('checkpoint', help='file to convert')
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--mmdet-version',
        help='the MMDetection that has written a detector which does not say it',
    )
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        print(convert_checkpoint(args.checkpoint, args.out, args.mmdet_version))
