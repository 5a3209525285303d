"""Measures how fast parts of this package are on this machine."""

import argparse
import warnings

from ..benchmark import (
    PaperSpeed,
    Setting,
    benchmark_evaluation,
    benchmark_growth,
    benchmark_model,
    benchmark_parts,
    benchmark_table3,
    benchmark_tail,
)
from ..inference import benchmark_predict
from ..pretraining import benchmark_data
from ..tables import load_classifier_rows

# The backbones of Table 3, in the paper's words.
DEPTHS = {depth: f'ResNet-{depth}' for depth in ('18', '34', '50', '101', '152')}
DEPTHS['mobilenetv2'] = 'MobileNetV2'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    _add_model(commands)
    _add_parts(commands)
    _add_tail(commands)
    _add_table3(commands)
    _add_growth(commands)
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


def _add_model(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'model',
        help='time and memory of detectors or backbones, relative to the first',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_rows(parser, '; or, of backbones, timm:NAME or mmpretrain:TYPE')
    parser.add_argument(
        '--backbone-only', action='store_true', help='not the whole detector'
    )
    _add_common(parser)
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


def _add_parts(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'parts',
        help='where the time of whole detectors goes, relative to the first',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_rows(parser)
    _add_common(parser, 1)
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


def _add_tail(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'tail',
        help="both forms of the backward pass of a block's folded end",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_common(parser)
    parser.set_defaults(
        measure=lambda args: benchmark_tail(
            args.batch_size, tuple(args.size), args.rounds, args.out, args.device
        )
    )


def _add_table3(commands: argparse._SubParsersAction) -> None:
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
    _add_common(parser, 16, (224, 224))
    parser.set_defaults(measure=_table3)


def _table3(args: argparse.Namespace) -> str:
    backbones = [DEPTHS[depth] for depth in args.depths]
    papers = [
        PaperSpeed(
            row.name, row.backbone, row.train_fps, row.inference_fps, row.operations
        )
        for row in load_classifier_rows()
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


def _add_growth(commands: argparse._SubParsersAction) -> None:
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
    _add_common(parser, 4, (224, 224))
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
    _add_out(parser)
    parser.set_defaults(
        measure=lambda args: benchmark_evaluation(
            args.images, args.classes, args.per_image, args.rounds, args.out
        )
    )


def _add_rows(parser: argparse.ArgumentParser, more: str = '') -> None:
    parser.add_argument(
        'rows',
        nargs='+',
        metavar='CONFIG[@OPTION...]',
        help='a config, with options of this row alone: channels_last, '
        "efficient_conv_bn_eval (mmengine's, of the backbone), amp, "
        f'amp_bfloat16, KEY=VALUE of the model{more}',
    )


def _add_common(
    parser: argparse.ArgumentParser,
    batch_size: int = 2,
    size: tuple[int, int] = (800, 1344),
) -> None:
    parser.add_argument(
        '--batch-size', type=int, default=batch_size, help='images in a batch'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=size,
        metavar=('HEIGHT', 'WIDTH'),
        help='of the images in pixels',
    )
    parser.add_argument('--rounds', type=int, default=7, help='of every row')
    parser.add_argument(
        '--device', help='cpu, cuda or cuda:N; by default the GPU, if any'
    )
    _add_out(parser)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--out', default='work_dirs/benchmark', help='folder for the results'
    )
