"""make gpu, with stand-ins for the machine that it is for."""

import argparse
import os
import shutil

import pytest

from mmdet_eca.commands import benchmark
from tests.conftest import ROOT, run

# What the script starts, by what it leaves: results, and a failure of the tests.
PYTHON = """#!/usr/bin/env bash
while [ $# -gt 0 ]; do
    case $1 in
    -c) echo 'A card; torch 2; today'; exit;;
    mmcv_operators) exit;;
    --out) mkdir -p "$2" && printf '| table |\\n|---|\\n' >"$2/$command.md";;
    --work-dir) mkdir -p "$2" && echo 'box 0.5' >"$2/coco.txt";;
    model | operators | table3) command=$1;;
    tests/operators) echo '2 passed'; exit;;
    tests) echo '1 failed, 9 passed'; exit 1;;
    esac
    shift
done
"""


@pytest.fixture
def machine(tmp_path):
    """A repository with stand-ins, and a folder of commands for PATH."""
    for name, text in {
        'tools/install.sh': '#!/usr/bin/env bash\n',
        '.venv/bin/python': PYTHON,
        'bin/nvidia-smi': '#!/usr/bin/env bash\necho "GPU 0: A card"\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(f'{ROOT}/tools/gpu.sh', tmp_path / 'tools')
    return tmp_path


def start(machine):
    return run(
        machine / 'tools/gpu.sh',
        check=False,
        VENV='.venv',
        PATH=f'{machine}/bin{os.pathsep}{os.environ["PATH"]}',
    )


def test_without_a_gpu_it_is_one_line(machine):
    (machine / 'bin/nvidia-smi').write_text('#!/usr/bin/env bash\nexit 9\n')
    done = start(machine)
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr == (
        'error: make gpu needs an NVIDIA GPU and its driver: nvidia-smi lists none\n'
    )


def test_an_environment_that_sees_no_gpu_is_one_line(machine):
    (machine / '.venv/bin/python').write_text('#!/usr/bin/env bash\n[ "$1" = -m ]\n')
    done = start(machine)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert 'torch sees no GPU' in done.stderr


def test_a_failure_loses_no_other_result(machine):
    done = start(machine)
    assert done.returncode == 1
    assert done.stderr == ('error: failed: tests; see work_dirs/gpu/*.log\n')
    results = {
        path.stem: path.read_text() for path in (machine / 'work_dirs/gpu').glob('*.md')
    }
    tables = {'fine-tuning', 'fine-tuning-amp', 'mmcv-operators', 'detector', 'table3'}
    assert set(results) == tables | {'operators', 'tests', 'demo'}
    for name in tables:
        assert results[name] == '| table |\n|---|\n'
    assert '    FAILED, ' in results['tests'] and '1 failed, 9 passed' in results['tests']
    assert '    2 passed\n' in results['operators']
    lines = results['demo'].splitlines()
    assert lines[0] == '    box 0.5'
    assert lines[2].startswith('A card; torch 2; today; ')
    assert lines[4] == ('    python tools/demo.py --work-dir work_dirs/gpu/demo')


def test_all_well(machine):
    python = machine / '.venv/bin/python'
    python.write_text(PYTHON.replace('exit 1;;', 'exit 0;;'))
    done = start(machine)
    assert done.returncode == 0 and done.stderr == ''
    assert 'work_dirs/gpu/demo.md' in done.stdout


def test_its_benchmarks_are_the_tools(machine):
    """The real tool parses them, and the configs are there."""
    (machine / '.venv/bin/python').write_text(
        PYTHON.replace('while [', 'echo "$@" >>commands\nwhile [', 1)
    )
    start(machine)
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    parsed = []
    for line in (machine / 'commands').read_text().splitlines():
        tool, *arguments = line.split()
        if tool == 'tools/benchmark.py':
            parsed.append(parser.parse_args(arguments))
    assert len(parsed) == 5
    for args in parsed:
        assert args.device == 'cuda'
        for row in getattr(args, 'rows', []):
            assert os.path.isfile(f'{ROOT}/{row.split("@")[0]}')
