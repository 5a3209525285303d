"""Writes a public set of photographs, blood cells or nuclei, as COCO files."""

import argparse

from ..paper.photographs import SOURCES, make_photographs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', choices=list(SOURCES), help='the data set')
    parser.add_argument('source', help='a clone of its repository')
    parser.add_argument('--out', help='folder to write; data/NAME by default')


def run(args: argparse.Namespace) -> None:
    print(make_photographs(args.name, args.source, args.out or f'data/{args.name}'))
