import os.path as osp
import runpy
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def reproduce_tables(monkeypatch, capsys):
    """Runs tools/reproduce_tables.py with these arguments; gives its output.

    In this process, since to import everything anew takes longer than the rest.
    """
    path = osp.join(ROOT, 'tools', 'reproduce_tables.py')

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [path, *map(str, arguments)])
        runpy.run_path(path, run_name='__main__')
        return capsys.readouterr()

    return run
