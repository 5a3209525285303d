"""The paper's tables and figures: what is missing, its cost, what came out."""

import argparse
import json
import os
import os.path as osp
import sys
import warnings
from typing import Any

from ..errors import UserError
from ..paper import (
    FIGURES,
    TABLES,
    complexity_rows,
    complexity_text,
    format_report,
    make_digits_plan,
    make_plan,
    plan_text,
    run_digits,
    run_rows,
    write_digits_report,
    write_report,
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
    complexity.add_argument(
        '--table',
        type=int,
        nargs='+',
        choices=TABLES,
        help="1: the systems' ticks and weights; 2: the attention layers; 3: the "
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
            help='(default: 5 6); digits: the tables on Digits-COCO, with several '
            'seeds a row',
        )
        command.add_argument(
            '--figure', type=int, nargs='+', choices=FIGURES, help='besides tables'
        )
        command.add_argument(
            '--work-dirs', help=f'folder of the work directories (default: {WORK_DIRS})'
        )
        command.add_argument(
            '--results',
            help='on Digits-COCO: folder that keeps the results of finished runs '
            f'(default: {RESULTS})',
        )
    for command in (plan, run):
        command.add_argument(
            'rows',
            nargs='*',
            help='names of rows of any table; default: all of --table',
        )
        command.add_argument(
            '--gpus', type=int, help='GPUs of a run (default: 4; on Digits-COCO 1)'
        )
        command.add_argument(
            '--seeds', type=int, nargs='+', help="on Digits-COCO (default: the table's)"
        )
    run.add_argument(
        '--jobs', type=int, help='on Digits-COCO: runs at a time (default: 1)'
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
    else:
        _check_options(args)
        study = _run_digits if DIGITS in (args.table or ()) else _run_paper
        rows, text = study(args, args.work_dirs or WORK_DIRS)
    if args.json:
        print(json.dumps(rows, indent=1))
    elif text:
        print(text)


def _check_options(args: argparse.Namespace) -> None:
    """Raises UserError for options of the other kind of tables."""
    digits = DIGITS in (args.table or ())
    for name in ('gpus',) if digits else ('results', 'seeds', 'jobs'):
        if getattr(args, name, None) is not None:
            kind = 'does not go' if digits else 'goes only'
            raise UserError(f'--{name} {kind} with --table {DIGITS}')
    if digits and (len(args.table) > 1 or args.figure):
        others = [f'--table {table}' for table in args.table if table != DIGITS]
        others += [f'--figure {figure}' for figure in args.figure or ()]
        raise UserError(f'--table {DIGITS} goes alone, not with {", ".join(others)}')


def _run_paper(
    args: argparse.Namespace, work_dirs: str
) -> tuple[list[dict[str, Any]], str]:
    """Plans, does or reports the runs of the paper's tables and figures."""
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


def _run_digits(
    args: argparse.Namespace, work_dirs: str
) -> tuple[list[dict[str, Any]], str]:
    """Plans, does or reports the runs on Digits-COCO."""
    results = args.results or RESULTS
    if args.command == 'report':
        out = args.out or osp.join(work_dirs, 'report')
        return write_digits_report(work_dirs, results, out)
    if args.command == 'plan':
        rows = make_digits_plan(work_dirs, results, args.rows, args.seeds)
        return rows, plan_text(rows)
    output = sys.stderr if args.json else None
    jobs = 1 if args.jobs is None else args.jobs
    rows = run_digits(work_dirs, results, jobs, args.rows, args.seeds, output)
    return rows, '' if rows else plan_text(rows)
