"""Trains a classifier on a folder of images and exports its backbone.

The options are those of training a detector.
"""

import argparse

from ..pretraining import pretrain
from ..training.cli import add_train_arguments, load_train_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_train_arguments(parser)


def run(args: argparse.Namespace) -> None:
    pretrain(load_train_config(args))
