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
    DIGITS,
    FIGURES,
    PHOTOGRAPHS,
    TABLES,
    KeptResults,
    complexity_rows,
    complexity_text,
    format_report,
    make_plan,
    paper_trainings,
    plan_text,
    run_rows,
    select_rows,
    write_report,
    write_seeds_report,
)

WORK_DIRS = 'work_dirs'
RESULTS = 'docs/results'
STUDIES = {study.name: study for study in (DIGITS, PHOTOGRAPHS)}  # on other data


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
            choices=(*TABLES, *STUDIES),
            help='(default: 5 6); digits, photographs: the tables on these data, with '
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
            help='on other data: folder that keeps the results of finished runs '
            f'(default: {RESULTS})',
        )
    for command in (plan, run):
        command.add_argument(
            'rows',
            nargs='*',
            help='names of rows of any table; default: all of --table',
        )
        command.add_argument(
            '--gpus', type=int, help='GPUs of a run (default: 4; on other data 1)'
        )
        command.add_argument(
            '--seeds', type=int, nargs='+', help="on other data (default: the table's)"
        )
    run.add_argument(
        '--jobs', type=int, help='on other data: runs at a time (default: 1)'
    )
    report.add_argument(
        '--out', help='folder of the report (default: WORK_DIRS/report)'
    )
    for command in commands.choices.values():
        command.add_argument(
            '--json', action='store_true', help='print a list of rows as JSON'
        )


def _table(text: str) -> int | str:
    if text in STUDIES or text.isdecimal():
        return text if text in STUDIES else int(text)
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
        do = _report if args.command == 'report' else _plan_or_run
        rows, text = do(args, args.work_dirs or WORK_DIRS)
    if args.json:
        print(json.dumps(rows, indent=1))
    elif text:
        print(text)


def _study_name(args: argparse.Namespace) -> str | None:
    return next((table for table in args.table or () if table in STUDIES), None)


def _check_options(args: argparse.Namespace) -> None:
    """Raises UserError for options of the other kind of tables."""
    study = _study_name(args)
    for name in ('gpus',) if study else ('results', 'seeds', 'jobs'):
        if getattr(args, name, None) is not None:
            kind = 'cannot be combined' if study else 'can only be combined'
            tables = study or ' or '.join(STUDIES)
            raise UserError(f'--{name} {kind} with --table {tables}')
    if study and (len(args.table) > 1 or args.figure):
        others = [f'--table {table}' for table in args.table if table != study]
        others += [f'--figure {figure}' for figure in args.figure or ()]
        raise UserError(f'--table {study} stands alone, not with {", ".join(others)}')


def _report(
    args: argparse.Namespace, work_dirs: str
) -> tuple[list[dict[str, Any]], str]:
    """Reports the runs of the paper's tables and figures, or of a study."""
    out = args.out or osp.join(work_dirs, 'report')
    if study := _study_name(args):
        results = args.results or RESULTS
        return write_seeds_report(STUDIES[study], work_dirs, results, out)
    if not args.work_dirs and (args.table or args.figure):
        # The paper's figures can be shown before anything is trained.
        os.makedirs(work_dirs, exist_ok=True)
    rows = write_report(work_dirs, out, args.table, args.figure)
    return rows, format_report(rows)


def _plan_or_run(
    args: argparse.Namespace, work_dirs: str
) -> tuple[list[dict[str, Any]], str]:
    """Plans or does the runs of the paper's tables and figures, or of a study."""
    kept = None
    if study := _study_name(args):
        rows, gpus = STUDIES[study].rows(), None
        kept = KeptResults(args.results or RESULTS, rows)
        rows = select_rows(rows, args.rows)
    else:
        rows = paper_trainings(args.table, args.figure, args.rows)
        gpus = 4 if args.gpus is None else args.gpus
    if args.command == 'plan':
        plan = make_plan(rows, work_dirs, gpus, args.seeds, kept)
        return plan, plan_text(plan)
    jobs = 1 if args.jobs is None else args.jobs
    output = sys.stderr if args.json else None
    plan = run_rows(rows, work_dirs, gpus, args.seeds, kept, jobs, output)
    return plan, '' if plan else plan_text(plan)  # the runs have written theirs
