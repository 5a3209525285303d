"""Which of many failing processes print the error: real processes and launchers."""

import os
import re
import subprocess
import sys

import pytest

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
def test_one_of_the_processes_that_fail_speaks(worker, ranks):
    done = run(
        *torchrun('--nproc-per-node=2', worker, *ranks), check=False, PYTHONPATH=ROOT
    )
    ((rank, message),) = errors(done)
    assert rank in ranks and message == 'there is no data set'


@pytest.mark.parametrize('variables', [
    'SLURM_NTASKS=2 SLURM_PROCID=$rank SLURM_LOCALID=$rank', # srun
    ('OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=$rank '
    'OMPI_COMM_WORLD_LOCAL_RANK=$rank'),  # mpirun
])  # fmt: skip
def test_other_launchers(worker, variables):
    """One process starts all of a machine, and ends them when one has failed."""
    done = run(
        'bash',
        '-c',
        f'for rank in 0 1; do {variables} {PYTHON} {worker} '
        '0 1 & done; wait -n || { kill $(jobs -p); wait; exit 1; }',
        check=False,
        PYTHONPATH=ROOT,
        PYTHONWARNINGS='ignore',  # the other process's, in the middle of the line
    )
    # On a slow machine both may speak before one is ended.
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 1 <= done.stderr.count(': there is no data set') <= 2


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
    environment = dict(PYTHONPATH=ROOT)
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
