"""Trains a detector; the options are those of MMDetection's tools/train.py."""
import argparse

from mmengine.device import is_cuda_available

from mmdet_eca import UserError
from mmdet_eca.engine import (add_run_arguments, build_runner, load_config,
                              one_line_errors)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='train config file')
    add_run_arguments(parser)
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train with automatic mixed precision (needs a GPU)')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or, without a value, from the '
        'latest one in the work directory')
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(args)
    if args.amp:
        if not is_cuda_available():
            raise UserError('--amp needs a GPU; leave it out on the CPU')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise UserError('--auto-scale-lr needs auto_scale_lr='
                            f'dict(base_batch_size=...) in {args.config}')
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    build_runner(cfg, ('train', 'val')).train()


if __name__ == '__main__':
    with one_line_errors():
        main()
