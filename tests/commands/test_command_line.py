"""The console command, and tools/ beside it."""

import argparse
import os
import runpy
import sys

import pytest

from mmdet_eca.commands import demo, describe_commands, main
from tests.conftest import ROOT, run

WINGS = (
    'benchmark',
    'data',
    'digits',
    'explanation',
    'export',
    'inference',
    'paper',
    'pretraining',
)


def words_of_help(capsys, program):
    """What was printed but for the program, word by word: its length breaks lines."""
    printed = capsys.readouterr().out
    usage = f'usage: {program} '
    assert printed.startswith(usage)
    return printed[len(usage) :].split()


def test_each_command_is_a_tool_and_the_other_way_round():
    tools = {name for name in os.listdir(f'{ROOT}/tools') if name.endswith('.py')}
    tools.remove('torchrun.py')  # starts tools, for dist_*.sh
    commands = {f'{name.replace("-", "_")}.py' for name in describe_commands()}
    assert commands == tools


@pytest.mark.parametrize('command', describe_commands())
def test_a_tool_has_the_options_of_its_command(command, capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        main([command, '--help'])
    assert end.value.code == 0
    expected = words_of_help(capsys, f'mmdet-eca {command}')
    tool = f'{command.replace("-", "_")}.py'
    monkeypatch.setattr(sys, 'argv', [f'tools/{tool}', '--help'])
    with pytest.raises(SystemExit):
        runpy.run_path(f'{ROOT}/tools/{tool}', run_name='__main__')
    assert words_of_help(capsys, tool) == expected


def test_help_lists_the_commands_and_loads_no_wing():
    code = (
        'import sys; from mmdet_eca.commands import main; main(["--help"]); '
        'print([name for name in sys.modules if name.startswith("mmdet_eca.")])'
    )
    *help_lines, modules = run(sys.executable, '-c', code).stdout.splitlines()
    listed = {line.split()[0] for line in help_lines if line.startswith('    ')}
    assert set(describe_commands()) < listed
    assert 'mmdet_eca.commands' in modules
    assert not any(f'mmdet_eca.{wing}' in modules for wing in WINGS)


@pytest.mark.parametrize(
    ('words', 'mistake'),
    [
        ([], 'a command is missing'),
        (['tran'], "there is no command 'tran'"),
        (['--config', 'train'], "there is no command '--config'"),
    ],
)
def test_without_a_command_one_line_names_them(words, mistake, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    names = ', '.join(describe_commands())
    assert capsys.readouterr() == (
        '',
        f'mmdet-eca: error: {mistake}; choose from {names}\n',
    )


class RestartError(Exception):
    """Instead of another process."""


@pytest.mark.parametrize(
    ('on_gpus', 'gpus', 'restarts'),
    [(False, True, True), (False, False, False), (True, True, False)],
)
def test_demo_leaves_gpus_alone_that_mmcv_cannot_use(
    on_gpus, gpus, restarts, monkeypatch
):
    runs = []

    def execve(path, words, environment):
        assert path == words[0] == sys.executable
        assert environment['CUDA_VISIBLE_DEVICES'] == '-1'
        assert environment['PATH'] == os.environ['PATH']
        assert words[1:4] == ['-m', 'mmdet_eca', 'demo']
        runs.append(words[4:])
        raise RestartError

    monkeypatch.setattr(demo, 'operators_run_on_gpus', lambda: on_gpus)
    monkeypatch.setattr(demo, 'run_demo', lambda *args: runs.append(args))
    monkeypatch.setattr('torch.cuda.is_available', lambda: gpus)
    monkeypatch.setattr(os, 'execve', execve)
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    args = parser.parse_args(['--config', 'a.py', '--work-dir', 'b', '--seed', '3'])
    if not restarts:
        demo.run(args)
        assert runs == [('a.py', 'b', 3)]
        return
    with pytest.raises(RestartError):
        demo.run(args)
    assert parser.parse_args(runs[0]) == args
