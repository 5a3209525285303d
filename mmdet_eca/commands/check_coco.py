"""Checks a data set in COCO's format, annotations and images, and reports by kind."""

import argparse
import sys

from ..data import check_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        'Errors make a training fail, or learn what is wrong: the exit status is 1 '
        'then. Warnings name what is left out or makes results worse, notes what is '
        'worth a look.'
    )
    parser.add_argument('annotations', help='COCO annotation file')
    parser.add_argument('images', help='folder that its file names are relative to')
    parser.add_argument(
        '--val',
        nargs=2,
        metavar=('ANNOTATIONS', 'IMAGES'),
        help='the validation set: it is checked, too, and no image of it, byte by '
        'byte, may be in the other',
    )
    parser.add_argument(
        '--config',
        help="a detector's config: objects that are smaller than its smallest anchor, "
        "at its test scale, are counted (default: Faster R-CNN's)",
    )
    parser.add_argument(
        '--json',
        nargs='?',
        const='-',
        metavar='FILE',
        help='writes the report for programs, with all ids, into this file, or prints '
        'it instead of the text',
    )
    parser.add_argument(
        '--picture',
        metavar='FILE.png',
        help='draws sizes, classes and positions of the objects',
    )
    parser.add_argument(
        '--strict', action='store_true', help='exit status 1 on warnings, too'
    )


def run(args: argparse.Namespace) -> None:
    to_stdout = args.json == '-'
    report = check_data(
        args.annotations,
        args.images,
        val=args.val,
        config=args.config,
        json_file=None if to_stdout else args.json,
        picture=args.picture,
    )
    print(report.to_json() if to_stdout else report)
    if report.count('error') or (args.strict and report.count('warning')):
        sys.exit(1)
