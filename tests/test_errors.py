"""Which of many failing processes print the error: real processes and launchers."""

import os
import re
import subprocess
import sys
import tempfile
import time

import pytest

from mmdet_eca import errors as user_errors
from tests.conftest import ONE_THREAD, ROOT, run
from tests.tools.test_train import DIGITS, digits_options, free_port

PYTHON = sys.executable
# Fails on the ranks given; the others would work for a minute. Of the package it
# imports errors.py alone, which needs neither torch nor the seconds of its import.
WORKER = f"""
import os, sys, time, types
sys.modules['mmdet_eca'] = package = types.ModuleType('mmdet_eca')
package.__path__ = ['{ROOT}/mmdet_eca']
from mmdet_eca.errors import UserError, one_line_errors
names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
(rank,) = [os.environ[name] for name in names if name in os.environ]
with one_line_errors():
    if rank in sys.argv[1:]:
        raise UserError('there is no data set')
time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path):
    path = tmp_path / 'worker.py'
    path.write_text(WORKER)
    return path


def torchrun(*arguments):
    return [PYTHON, 'tools/torchrun.py', f'--master-port={free_port()}', *arguments]


def errors(done):
    """The ranks that print an error, each with its message."""
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    return re.findall(r'\.py: error \(rank (\d)\): (.*)', done.stderr)


@pytest.mark.parametrize('ranks', ['1', '01'])
def test_one_of_the_processes_that_fail_speaks(worker, tmp_path, ranks):
    done = run(
        *torchrun('--nproc-per-node=2', worker, *ranks),
        check=False,
        PYTHONPATH=ROOT,
        TMPDIR=str(tmp_path),
    )
    ((rank, message),) = errors(done)
    assert rank in ranks and message == 'there is no data set'


@pytest.mark.parametrize('variables', [
    'SLURM_NTASKS=2 SLURM_PROCID=$rank', # srun
    ('OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=$rank '
    'OMPI_COMM_WORLD_LOCAL_RANK=$rank'),  # mpirun
])  # fmt: skip
def test_other_launchers(worker, tmp_path, variables):
    """One process starts all of a machine, as srun's and mpirun's daemons do."""
    done = run(
        'bash',
        '-c',
        f'for rank in 0 1; do {variables} {PYTHON} {worker} '
        '0 1 & done; wait -n || { wait; exit 1; }',
        check=False,
        PYTHONPATH=ROOT,
        TMPDIR=str(tmp_path),
        PYTHONWARNINGS='ignore',  # the other process's, in the middle of the line
    )
    ((_, message),) = errors(done)
    assert message == 'there is no data set'


def test_a_second_machine_without_the_data_set_says_so(digits, tmp_path):
    """One process on each; that of the first waits for the second."""
    command = torchrun('--nnodes=2', '--nproc-per-node=1', '--master-addr=127.0.0.1')
    training = [
        'tools/train.py',
        DIGITS,
        '--launcher=pytorch',
        '--work-dir',
        str(tmp_path / 'work'),
    ]
    environment = dict(PYTHONPATH=ROOT, TMPDIR=str(tmp_path))
    first = subprocess.Popen(
        [*command, '--node-rank=0', *training, *digits_options(digits)],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, **environment},
    )
    try:
        done = run(
            *command,
            '--node-rank=1',
            *training,
            *digits_options('nowhere/'),
            check=False,
            **environment,
        )
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait()
    ((rank, message),) = errors(done)
    assert rank == '1'
    assert message.startswith('nowhere/annotations/instances_train.json does not exist')


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return tmp_path


def test_a_launch_after_a_launch_from_one_shell_speaks_again(folder):
    """The shell is the parent of the processes of both."""
    assert [user_errors._is_first_to_fail(rank) for rank in '101201'] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_what_an_earlier_launch_left_does_not_silence(folder):
    assert user_errors._is_first_to_fail('0')
    (mark,) = folder.iterdir()
    earlier = time.time() - 100
    os.utime(mark, (earlier, earlier))
    assert user_errors._is_first_to_fail('1')
    assert not user_errors._is_first_to_fail('2')


def test_where_no_file_can_be_written_all_speak(folder, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(folder / 'none'))
    assert user_errors._is_first_to_fail('0') and user_errors._is_first_to_fail('1')
