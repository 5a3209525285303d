"""The benchmark of the paper's Table 3."""

import argparse

from ...benchmark import PaperSpeed, Setting, benchmark_table3
from ...paper import paper_rows
from .options import add_common

# The backbones of Table 3, in the paper's words.
DEPTHS = {depth: f'ResNet-{depth}' for depth in ('18', '34', '50', '101', '152')}
DEPTHS['mobilenetv2'] = 'MobileNetV2'


def add_table3(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'table3',
        help="images a second of the paper's ImageNet classifiers, relative to plain",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        '--depths',
        nargs='+',
        choices=DEPTHS,
        default=['50', '101', '152', 'mobilenetv2'],
        help='ResNets of these depths, or MobileNetV2; ResNet-18 and -34 are not in '
        "the paper, but on the authors' poster",
    )
    parser.add_argument(
        '--channels-last', action='store_true', help='every row in this memory layout'
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='every row in float16 on a GPU, in bfloat16 on a CPU',
    )
    add_common(parser, 16, (224, 224))
    parser.set_defaults(measure=_table3)


def _table3(args: argparse.Namespace) -> str:
    backbones = [DEPTHS[depth] for depth in args.depths]
    papers = [
        PaperSpeed(
            row.name,
            row.backbone,
            row.paper.get('train_fps'),
            row.paper.get('inference_fps'),
            row.operations,
        )
        for row in paper_rows([3])
        if row.backbone in backbones
    ]
    setting = Setting(
        args.batch_size,
        tuple(args.size),
        args.rounds,
        args.channels_last,
        args.amp,
        args.device,
    )
    return benchmark_table3(papers, setting, args.out)
