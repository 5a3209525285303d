"""Adds attention to a plain checkpoint, as the identity: the outputs stay the same."""

import argparse
import ast
from typing import Any

from ..errors import UserError
from ..weights.add_attention import add_attention


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'Known are detectors of MMDetection 3.x with a ResNet, ResNetV1d, ResNeXt or '
        "MobileNetV2, and torchvision's and MMPretrain's ImageNet weights. The lines "
        'of a config that go with the new file are printed.'
    )
    parser.add_argument('checkpoint', help='plain weights')
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--attention',
        nargs='+',
        default=['ECALayer'],
        metavar=('TYPE', 'KEY=VALUE'),
        help='attention layer and its arguments, such as ECALayer kernel_size=5 '
        '(default: ECALayer)',
    )


def run(args: argparse.Namespace) -> None:
    name, *options = args.attention
    attention = dict(type=name, **dict(map(_key_and_value, options)))
    print(add_attention(args.checkpoint, args.out, attention))


def _key_and_value(option: str) -> tuple[str, Any]:
    key, equals, value = option.partition('=')
    if not equals:
        raise UserError(
            '--attention takes KEY=VALUE after the type, such as ratio=16; '
            f'got {option!r}'
        )
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value
