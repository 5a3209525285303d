"""Trains a detector; the options are those of MMDetection's tools/train.py."""

import argparse

from ..training.cli import add_train_arguments, load_train_config
from ..training.runner import build_runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_train_arguments(parser)


def run(args: argparse.Namespace) -> None:
    build_runner(load_train_config(args), ('train', 'val')).train()
