"""Options that several benchmarks have."""

import argparse


def add_rows(parser: argparse.ArgumentParser, more: str = '') -> None:
    parser.add_argument(
        'rows',
        nargs='+',
        metavar='CONFIG[@OPTION...]',
        help='a config, with options of this row alone: channels_last, compiled '
        '(the backbone, by torch.compile), '
        "efficient_conv_bn_eval (mmengine's, of the backbone), amp, "
        f'amp_bfloat16, KEY=VALUE of the model{more}',
    )


def add_common(
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
    add_device(parser)
    add_out(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--device', help='cpu, cuda or cuda:N; by default the GPU, if any'
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--out', default='work_dirs/benchmark', help='folder for the results'
    )
