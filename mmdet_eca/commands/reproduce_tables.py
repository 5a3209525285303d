"""The paper's tables and figures: what is missing, its cost, what came out."""

import argparse
import json
import os
import os.path as osp
import sys
import warnings

from ..tables import (
    FIGURES,
    TABLES,
    complexity_rows,
    complexity_text,
    format_report,
    make_plan,
    plan_text,
    run_rows,
    write_report,
)

WORK_DIRS = 'work_dirs'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest='command', required=True)
    plan = commands.add_parser('plan', help='the runs that are still missing')
    complexity = commands.add_parser(
        'complexity', help="#Param and GFLOPs beside the paper's"
    )
    report = commands.add_parser(
        'report', help='tables and pictures of the runs that are there'
    )
    run = commands.add_parser(
        'run', help='run what is missing, one after another; resumable'
    )
    run.add_argument(
        'rows', nargs='*', help='names of rows of any table; default: all of --table'
    )
    complexity.add_argument(
        '--table',
        type=int,
        nargs='+',
        choices=TABLES,
        help="1: what the systems' attention is like; 2: the attention layers; 3: the "
        'ImageNet classifiers; 4: other networks; 5, 6: the detectors (default: 5 6)',
    )
    complexity.add_argument(
        '--figure',
        type=int,
        nargs='+',
        choices=FIGURES,
        help="1: the rows of Table 3 that it shows; 4: ECA's kernel sizes",
    )
    for command in (plan, report, run):
        command.add_argument(
            '--table', type=int, nargs='+', choices=TABLES, help='(default: 5 6)'
        )
        command.add_argument(
            '--figure', type=int, nargs='+', choices=FIGURES, help='besides tables'
        )
        command.add_argument(
            '--work-dirs', help=f'folder of the work directories (default: {WORK_DIRS})'
        )
    for command in (plan, run):
        command.add_argument(
            '--gpus', type=int, default=4, help='GPUs of a run (default: 4)'
        )
    report.add_argument(
        '--out', help='folder of the report (default: WORK_DIRS/report)'
    )
    for command in commands.choices.values():
        command.add_argument(
            '--json', action='store_true', help='print a list of rows as JSON'
        )


def run(args: argparse.Namespace) -> None:
    # mmengine's, once for every config that is read.
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
    if args.command != 'complexity':
        work_dirs = args.work_dirs or WORK_DIRS
    if args.command == 'plan':
        rows = make_plan(work_dirs, args.gpus, tables=args.table, figures=args.figure)
        text = plan_text(rows)
    elif args.command == 'complexity':
        rows = complexity_rows(args.table, args.figure)
        text = complexity_text(rows)
    elif args.command == 'report':
        if not args.work_dirs and (args.table or args.figure):
            # The paper's figures can be shown before anything is trained.
            os.makedirs(work_dirs, exist_ok=True)
        out = args.out or osp.join(work_dirs, 'report')
        rows = write_report(work_dirs, out, args.table, args.figure)
        text = format_report(rows)
    else:
        output = sys.stderr if args.json else None
        rows = run_rows(
            args.rows, work_dirs, args.gpus, output, args.table, args.figure
        )
        text = ''  # the runs have written theirs
    if args.json:
        print(json.dumps(rows, indent=1))
    elif text:
        print(text)
