"""Trains a classifier on a folder of images and exports its backbone.

The options are those of tools/train.py.
"""

import argparse

from mmdet_eca.engine import add_train_arguments, load_train_config
from mmdet_eca.errors import one_line_errors
from mmdet_eca.pretraining import pretrain


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_train_arguments(parser)
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    with one_line_errors():
        pretrain(load_train_config(args))
