"""Trains a detector; the options are those of MMDetection's tools/train.py."""

import argparse

from mmdet_eca.engine import add_train_arguments, build_runner, load_train_config
from mmdet_eca.errors import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_train_arguments(parser)
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        build_runner(load_train_config(args), ('train', 'val')).train()
