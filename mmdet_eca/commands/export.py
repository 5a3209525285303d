"""Exports a detector to ONNX, checked and measured beside torch in onnxruntime."""

import argparse

from mmengine.config import Config

from ..config_paths import find_config
from ..export import export_detector
from ..export.export import HIGHEST_OPSET
from ..training.cli import add_cfg_options
from ..training.mistakes import merge_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'RetinaNet, Faster R-CNN and Mask R-CNN are exported whole. The file takes one '
        'image of any size and gives boxes, scores, labels and masks; what it needs to '
        'be run is stored in it. It appears when onnxruntime has found what torch has.'
    )
    parser.add_argument('config', help='config of the detector')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('out', help='file to write, such as detector.onnx')
    parser.add_argument(
        '--raw',
        action='store_true',
        help='take images as they are read, uint8 BGR of shape (height, width, 3), '
        'instead of normalised ones, float32 of shape (1, 3, height, width)',
    )
    parser.add_argument(
        '--opset',
        type=int,
        default=HIGHEST_OPSET,
        help="version of ONNX's operators (default: %(default)s)",
    )
    parser.add_argument(
        '--images',
        nargs='+',
        default=[],
        metavar='IMAGE',
        help='images, folders or patterns to compare on (default: random images)',
    )
    parser.add_argument(
        '--evaluate',
        action='store_true',
        help="evaluate both on the config's data for tests, too",
    )
    add_cfg_options(parser)


def run(args: argparse.Namespace) -> None:
    config = Config.fromfile(find_config(args.config))
    merge_options(config, args.cfg_options)
    report = export_detector(
        config,
        args.checkpoint,
        args.out,
        args.raw,
        args.opset,
        args.images,
        args.evaluate,
    )
    print(report)
