"""Runs the code of all pages in a fresh copy of the repository.

    python -m tests.docs [PAGE ...]

Commands run in the order of the pages, in the environment of this Python. It lists
the blocks that it does not run, with their reasons.
"""

import os
import os.path as osp
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time

from tests.conftest import ONE_THREAD, ROOT
from tests.docs.pages import Block, build_config, pages, read_blocks


def main(chosen: list[str]) -> int:
    """Runs the blocks of these pages; returns the exit status."""
    blocks = [block for page in chosen for block in read_blocks(page)]
    to_run = [block for block in blocks if block.runs]
    not_run = [block for block in blocks if block.reason]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy_repository(folder)
        for block in to_run:
            start = time.time()
            mistake = run_block(block, folder)
            failures += bool(mistake)
            outcome = 'FAILED' if mistake else 'ran'
            show(block, f'{outcome} in {time.time() - start:.0f} s')
            print(mistake, end='', flush=True)
    for block in not_run:
        show(block, f'not run: {block.reason}')
    print(
        f'{len(to_run) - failures} blocks ran, {failures} failed, '
        f'{len(not_run)} were not run.'
    )
    return 1 if failures else 0


def copy_repository(folder: str) -> None:
    """Copies what git tracks, as it is now, and what it would add."""
    names = subprocess.check_output(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        text=True,
    )
    for name in names.rstrip('\0').split('\0'):
        if osp.exists(osp.join(ROOT, name)):  # else it is deleted
            os.makedirs(osp.join(folder, osp.dirname(name)), exist_ok=True)
            shutil.copy(osp.join(ROOT, name), osp.join(folder, name))


def run_block(block: Block, folder: str) -> str:
    """Runs commands or a program in a folder, or builds a config.

    Returns:
        str: What went wrong, empty if nothing did.
    """
    if block.is_config:
        try:
            build_config(block)
        except Exception as error:  # of whatever kind: the page is wrong
            return f'{type(error).__name__}: {error}\n'
        return ''
    programs = {
        'bash': ['bash', '-euo', 'pipefail', '-c', block.text],
        'python': [sys.executable, '-c', block.text],
    }
    commands = osp.dirname(sys.executable)
    done = subprocess.run(
        programs[block.language],
        check=False,
        cwd=folder,
        env={
            **os.environ,
            **ONE_THREAD,
            'PATH': commands + os.pathsep + os.environ['PATH'],
            'PYTHONPATH': folder,
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout[-3000:] if done.returncode else ''


def show(block: Block, outcome: str) -> None:
    print(f'{block.place}, {outcome}')
    print(textwrap.indent(block.text, '    '), flush=True)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:] or pages()))
