"""The paper's tables and figures: what is missing, its cost, what came out."""

import argparse
import json
import os
import os.path as osp
import sys
import warnings
from typing import Any

from ..errors import UserError
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
from ..tables.small import (
    make_small_plan,
    run_small,
    small_plan_text,
    small_report_text,
    write_small_report,
)

WORK_DIRS = 'work_dirs'
RESULTS = 'docs/results'
DIGITS = 'digits'


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
            '--table',
            type=_table,
            nargs='+',
            choices=(*TABLES, DIGITS),
            help='(default: 5 6); digits: the tables in small, on the digits, with '
            'several seeds a row',
        )
        command.add_argument(
            '--figure', type=int, nargs='+', choices=FIGURES, help='besides tables'
        )
        command.add_argument(
            '--work-dirs', help=f'folder of the work directories (default: {WORK_DIRS})'
        )
        command.add_argument(
            '--results',
            help='of the digits: folder that keeps the results of finished runs '
            f'(default: {RESULTS})',
        )
    for command in (plan, run):
        command.add_argument(
            '--gpus', type=int, help='GPUs of a run (default: 4; the digits have one)'
        )
        command.add_argument(
            '--seeds', type=int, nargs='+', help="of the digits (default: the table's)"
        )
    run.add_argument(
        '--jobs', type=int, help='of the digits: runs at a time (default: 1)'
    )
    plan.add_argument(
        'rows', nargs='*', help='names of rows of any table; default: all of --table'
    )
    report.add_argument(
        '--out', help='folder of the report (default: WORK_DIRS/report)'
    )
    for command in commands.choices.values():
        command.add_argument(
            '--json', action='store_true', help='print a list of rows as JSON'
        )


def _table(text: str) -> int | str:
    if text == DIGITS or text.isdecimal():
        return text if text == DIGITS else int(text)
    raise argparse.ArgumentTypeError(
        f'{text!r} is no table: names of rows stand before --table'
    )


def run(args: argparse.Namespace) -> None:
    # mmengine's, once for every config that is read.
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
    if args.command == 'complexity':
        rows = complexity_rows(args.table, args.figure)
        text = complexity_text(rows)
    elif args.table and DIGITS in args.table:
        rows, text = _run_digits(args)
    else:
        rows, text = _run_paper(args)
    if args.json:
        print(json.dumps(rows, indent=1))
    elif text:
        print(text)


def _run_paper(args: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Plans, does or reports the runs of the paper's tables and figures."""
    for name in ('results', 'seeds', 'jobs'):
        if getattr(args, name, None) is not None:
            raise UserError(f'--{name} goes with --table {DIGITS} only')
    work_dirs = args.work_dirs or WORK_DIRS
    if args.command == 'report':
        if not args.work_dirs and (args.table or args.figure):
            # The paper's figures can be shown before anything is trained.
            os.makedirs(work_dirs, exist_ok=True)
        out = args.out or osp.join(work_dirs, 'report')
        rows = write_report(work_dirs, out, args.table, args.figure)
        return rows, format_report(rows)
    gpus = 4 if args.gpus is None else args.gpus
    if args.command == 'plan':
        rows = make_plan(work_dirs, gpus, args.rows, args.table, args.figure)
        return rows, plan_text(rows)
    output = sys.stderr if args.json else None
    rows = run_rows(args.rows, work_dirs, gpus, output, args.table, args.figure)
    return rows, '' if rows else plan_text(rows)  # the runs have written theirs


def _run_digits(args: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Plans, does or reports the runs on the digits."""
    others = [f'--table {table}' for table in args.table if table != DIGITS]
    others += [f'--figure {figure}' for figure in args.figure or ()]
    if getattr(args, 'gpus', None) is not None:
        others.append('--gpus')
    if others:
        raise UserError(f'--table {DIGITS} goes alone, not with {", ".join(others)}')
    work_dirs, results = args.work_dirs or WORK_DIRS, args.results or RESULTS
    if args.command == 'report':
        out = args.out or osp.join(work_dirs, 'report')
        rows = write_small_report(work_dirs, results, out)
        return rows, small_report_text(out)
    if args.command == 'plan':
        rows = make_small_plan(work_dirs, results, args.rows, args.seeds)
        return rows, small_plan_text(rows)
    output = sys.stderr if args.json else None
    jobs = 1 if args.jobs is None else args.jobs
    rows = run_small(work_dirs, results, jobs, args.rows, args.seeds, output)
    return rows, '' if rows else small_plan_text(rows)
