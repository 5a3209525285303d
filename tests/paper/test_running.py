"""Runs side by side, what they start from first, and interruptions.

The training itself is a script here that takes a moment and leaves a finished work
directory. test_plan.py trains with the commands.
"""

import contextlib
import glob
import shutil
import signal
import subprocess
import sys
import time

import pytest

from mmdet_eca import UserError
from mmdet_eca.paper import DIGITS, KeptResults, run_rows, select_rows
from tests.conftest import ROOT

from .work_dirs import detector_metrics, write_run

ECA, BACKBONE = 'mask_rcnn_eca_r50_digits', 'eca_resnet50_digits'
REAL_PYTHON = sys.executable
PLAIN, PLAIN_BACKBONE = 'mask_rcnn_r50_digits', 'resnet50_digits'
# Arguments: tool, config, --work-dir, folder, options. `started` gets a line for each,
# `fail` and `hang` name the runs that do.
PYTHON = f"""#!{sys.executable}
import os, shutil, sys, time
from os.path import basename, dirname, exists, join
if basename(sys.argv[1]) == 'make_digits.py':
    with open('made', 'a') as file:
        print(*sys.argv[2:], file=file)
    sys.exit(exists('data/other'))
here, work_dir = dirname(__file__), sys.argv[4]
name = basename(sys.argv[2])[:-3]
run = name + ' ' + work_dir[-1]
threads = os.environ.get('OMP_NUM_THREADS', '')
def log(what):
    with open(join(here, 'started'), 'a') as file:
        print(what, run, threads, file=file)
def listed(what):
    path = join(here, what)
    return exists(path) and run in open(path).read().splitlines()
log('begin')
print('a line of output')
if listed('hang'):
    time.sleep(60)
if listed('fail'):
    sys.exit(3)
time.sleep(0.3)
shutil.copytree(join(here, name), work_dir, dirs_exist_ok=True)
log('end')
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Runs by name: where their trainings come from, and the call."""
    for name in (BACKBONE, PLAIN_BACKBONE):
        write_run(tmp_path / name, name, dict(top1=80, top5=95))
    for name in (ECA, PLAIN):
        write_run(tmp_path / name, name, detector_metrics(0.5, 0.4))
    (tmp_path / 'python').write_text(PYTHON)
    (tmp_path / 'python').chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*names, jobs=2, seeds=(0, 1)):
        with open('output.txt', 'a') as output:
            return run('work', names, seeds, jobs, output)

    return call


def kept():
    return KeptResults('results', DIGITS.rows())


def run(work_dirs, names, seeds, jobs, output=None):
    rows = select_rows(DIGITS.rows(), names)
    return run_rows(rows, work_dirs, None, seeds, kept(), jobs, output)


def command_lines():
    """Those of all processes."""
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        with contextlib.suppress(OSError), open(path) as file:
            yield file.read()


def started(tmp_path):
    path = tmp_path / 'started'
    return path.read_text().splitlines() if path.exists() else []


def test_everything_is_run_once_and_kept(tmp_path, runs):
    steps = runs(ECA, PLAIN)
    assert len(steps) == 8 and {step['state'] for step in steps} == {'finished'}
    records = {(record.name, record.seed): record for record in kept().read()}
    assert len(records) == 8
    assert records[ECA, 1].metrics == detector_metrics(0.5, 0.4)
    assert records[ECA, 1].begun == '20261128_120000'
    lines = started(tmp_path)
    for name, backbone in ((ECA, BACKBONE), (PLAIN, PLAIN_BACKBONE)):
        for seed in (0, 1):
            begin = lines.index(f'begin {name} {seed} 1')
            assert begin > lines.index(f'end {backbone} {seed} 1')
    # Never more than two at a time, and two at some time.
    running, most = 0, 0
    for line in lines:
        running += 1 if line.startswith('begin') else -1
        most = max(most, running)
    assert most == 2
    output = (tmp_path / 'output.txt').read_text()
    assert f'{ECA}, seed 1: box AP 0.500, mask AP 0.400; ' in output
    assert ' runs left, about 0.0 hours' in output
    images = '--out data/digits_1000 --num-train 1 --num-val 1000'
    made = (tmp_path / 'made').read_text().splitlines()
    assert made == ['--out data/digits', images]
    assert runs(ECA, PLAIN) == []
    assert len(started(tmp_path)) == 16


def test_scenes_have_their_own_data():
    names = [BACKBONE, 'mask_rcnn_se_r50_scenes', 'se_resnet50_scenes']
    commands = [row.data_commands for row in select_rows(DIGITS.rows(), names)]
    assert [' '.join(words[2:]) for one in commands[:2] for words in one] == [
        '--out data/digits',
        '--out data/digits_scenes --scenes',
        '--out data/digits_scenes_1000 --num-train 1 --num-val 1000 --scenes',
    ]


def test_a_failure_keeps_only_those_that_need_it_from_running(tmp_path, runs):
    (tmp_path / 'fail').write_text(f'{BACKBONE} 0\n')
    with pytest.raises(UserError) as error:
        runs(ECA, PLAIN, seeds=[0])
    for failed in (
        '2 of 4 runs did not finish',
        f'with 3, see work/digits/{BACKBONE}/seed_0/output.txt',
        f'{ECA}, seed 0: waits for the weights of {BACKBONE}, seed 0',
    ):
        assert failed in str(error.value)
    names = [record.name for record in kept().read()]
    assert names == [PLAIN, PLAIN_BACKBONE]
    (tmp_path / 'fail').unlink()
    assert len(runs(ECA, PLAIN, seeds=[0])) == 2


def test_a_tool_that_leaves_nothing_is_not_started_again_and_again(tmp_path, runs):
    shutil.rmtree(tmp_path / BACKBONE)
    write_run(tmp_path / BACKBONE, BACKBONE, {}, epochs=3)
    with pytest.raises(UserError, match=r'ended without an error, but .* unfinished'):
        runs(BACKBONE, seeds=[0])
    assert started(tmp_path) == [f'begin {BACKBONE} 0 1', f'end {BACKBONE} 0 1']


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_no_process_is_left_by_an_interruption(tmp_path, runs, number):
    (tmp_path / 'hang').write_text(f'{BACKBONE} 0\n{PLAIN_BACKBONE} 0\n')
    code = (
        # `runs` has left the folder that `-c` would find the tests in.
        f'import signal, sys; sys.path.insert(0, {ROOT!r})\n'
        'from tests.paper.test_running import run\n'
        # Which a shell's background jobs ignore.
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        f'sys.executable = {str(tmp_path / "python")!r}\n'
        'from mmdet_eca import UserError\n'
        'try:\n'
        f'    run("work", {[ECA, PLAIN]}, [0], 2)\n'
        'except UserError as error:\n'
        '    sys.exit(str(error))\n'
    )
    process = subprocess.Popen(
        [REAL_PYTHON, '-W', 'ignore', '-c', code], stderr=subprocess.PIPE, text=True
    )
    deadline = time.time() + 60
    while len(started(tmp_path)) < 2 and time.time() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert f'interrupted in {PLAIN_BACKBONE}, seed 0, {BACKBONE}, seed 0: ' in errors
    assert not [line for line in command_lines() if str(tmp_path / 'python') in line]


def test_runs_that_are_all_there_are_said(tmp_path, runs, reproduce_tables):
    runs(BACKBONE)
    before = started(tmp_path)
    said = reproduce_tables(
        *('run', BACKBONE, '--table', 'digits', '--seeds', 0, 1),
        *('--work-dirs', 'work', '--results', 'results'),
    ).out
    assert 'Nothing is missing' in said and '--results' in said
    assert started(tmp_path) == before != []


def test_nothing_starts_on_other_data(tmp_path, runs):
    (tmp_path / 'data' / 'other').mkdir(parents=True)
    with pytest.raises(UserError, match='the data set is not as the runs need it'):
        runs(BACKBONE)
    assert started(tmp_path) == []
