"""The command line: ``mmdet-eca COMMAND``, and the same as ``tools/COMMAND.py``.

Each module or package here is a command. Its docstring says what the command does,
``add_arguments(parser)`` declares its arguments and ``run(args)`` does it. The module,
and with it the application that it uses, is imported when the command is called.
"""

import argparse
import ast
import inspect
import os
import os.path as osp
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

from mmengine.logging import MMLogger

from .. import __version__
from ..errors import one_line_errors
from ..training.distributed import end_process
from ..training.launcher import follow_launcher
from ..training.lost_processes import explained_lost_processes
from ..training.mistakes import explained_mistakes
from ..training.resuming import INTERRUPTED, InterruptionHook
from ..weights.files import explained_refusals

PROGRAM = 'mmdet-eca'


def main(words: Sequence[str] | None = None) -> None:
    """Runs ``mmdet-eca COMMAND ...``.

    Args:
        words (Sequence[str], optional): The name of the command and its arguments;
            by default those that the process was started with.
    """
    name, *arguments = (sys.argv[1:] if words is None else words) or ['']
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description='ECA-Net for MMDetection.',
        epilog=f'"{PROGRAM} COMMAND --help" explains the arguments of a command.',
    )
    commands = parser.add_subparsers(title='commands', metavar='COMMAND')
    parsers = {
        command: commands.add_parser(command, help=line)
        for command, line in describe_commands().items()
    }
    if name in parsers:
        _run_command(name, parsers[name], arguments, f'{PROGRAM} {name}')
    elif name in ('-h', '--help'):
        parser.print_help()
    elif name == '--version':
        print(f'{PROGRAM} {__version__}')
    else:
        mistake = f'there is no command {name!r}' if name else 'a command is missing'
        choices = ', '.join(parsers)
        parser.exit(2, f'{PROGRAM}: error: {mistake}; choose from {choices}\n')


def run_tool(path: str) -> None:
    """Runs the command that a file of ``tools/`` is named after.

    Args:
        path (str): The file: 'tools/make_digits.py'.
    """
    name = osp.splitext(osp.basename(path))[0].replace('_', '-')
    _run_command(name, argparse.ArgumentParser())


def describe_commands() -> dict[str, str]:
    """One line on each command, read without importing the command."""
    lines = {}
    for module in pkgutil.iter_modules(__path__):
        name = f'{module.name}/__init__.py' if module.ispkg else f'{module.name}.py'
        with open(osp.join(__path__[0], name), encoding='utf-8') as file:
            doc = ast.get_docstring(ast.parse(file.read()))
        assert doc, f'{module.name} says what it does'
        lines[module.name.replace('_', '-')] = doc.splitlines()[0]
    return lines


def _run_command(
    name: str,
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> None:
    command = import_module(f'.{name.replace("-", "_")}', __name__)
    parser.description = inspect.getdoc(command)
    command.add_arguments(parser)
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of an error'
    )
    try:
        args = parser.parse_args(arguments)
    except ValueError:  # mmengine's DictAction splits at '='
        parser.error('--cfg-options takes KEY=VALUE ...')
    if os.getcwd() not in sys.path:  # `python -m mmdet_eca` has it: custom_imports
        sys.path.append(os.getcwd())
    explained = (
        nullcontext()
        if args.debug
        else explained_mistakes(getattr(args, 'config', None))
    )
    # mmengine's, while it looks for the folder of a config.
    warnings.filterwarnings('ignore', message='pkg_resources', category=UserWarning)
    # mmengine's, whenever a function such as a collation is not in mmdet's registry.
    MMLogger.get_current_instance().addFilter(
        lambda record: not record.getMessage().startswith('Failed to search registry')
    )
    follow_launcher()
    # mmengine lets torch.hub run the code in what it downloads.
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    os.environ.pop('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None)
    with (
        one_line_errors(program),
        explained,
        explained_lost_processes(),
        explained_refusals(),
    ):
        try:
            command.run(args)
        except SystemExit as end:
            if end.code == INTERRUPTED:
                end_process(INTERRUPTED)
            raise
        except KeyboardInterrupt:
            sys.exit(130)  # what a shell gives for Ctrl-C
        except RuntimeError:
            if InterruptionHook.received:  # the others have left already
                end_process(INTERRUPTED, alone=True)
            raise
        end_process()
