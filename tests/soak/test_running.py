"""A soak that is killed goes on, and ends what it has started."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.soak import running
from tests.soak.machine import ROOT

# A harness that writes a line ten times a second.
HARNESS = """
import json, os, sys, time
minutes, path = float(sys.argv[2]), sys.argv[4]
end = time.monotonic() + 60 * minutes
while time.monotonic() < end:
    with open(path, 'a') as file:
        line = dict(kind='a', kills=1, while_writing=0, resumes=1, lost=LOST)
        line.update(largest_difference=0.0, full_disks=0, pid=os.getpid())
        file.write(json.dumps(line) + chr(10))
    time.sleep(0.1)
"""
SOAK = """
import sys
from tests.soak import running
running.PAUSE = 0.1
sys.exit(running.run(float(sys.argv[1]), sys.argv[2], PARTS))
"""


def parts(lost='[]'):
    code = HARNESS.replace('LOST', lost)
    return {'chaos': [sys.executable, '-c', code]}


def start(seconds, folder):
    code = SOAK.replace('PARTS', repr(parts()))
    words = [sys.executable, '-c', code, str(seconds / 60), str(folder)]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)


def lines(folder, name='chaos'):
    path = folder / f'{name}.jsonl'
    return path.read_text().splitlines() if path.exists() else []


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def state(folder):
    return json.loads((folder / 'state.json').read_text())


@pytest.mark.skipif(sys.platform != 'linux', reason='asks Linux to end the harnesses')
def test_killed_and_started_again(tmp_path):
    soak = start(1000, tmp_path)
    wait_until(lambda: len(lines(tmp_path)) > 4 and (tmp_path / 'report.md').exists())
    soak.send_signal(signal.SIGKILL)
    soak.wait()
    harness = json.loads(lines(tmp_path)[0])['pid']
    wait_until(lambda: not is_there(harness))
    done, before = state(tmp_path)['seconds'], lines(tmp_path)
    assert 0 < done < 100
    assert start(done + 1, tmp_path).wait(60) == 0
    assert done + 1 <= state(tmp_path)['seconds'] < done + 30  # of a busy machine
    assert lines(tmp_path)[: len(before)] == before
    assert f'{len(lines(tmp_path)):,} kills' in (tmp_path / 'report.md').read_text()


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(running, 'PAUSE', 0.1)


def test_what_is_lost_is_counted(short, tmp_path):
    lost = running.run(1 / 60, tmp_path, parts('["a weight"]'))
    assert lost == len(lines(tmp_path)) > 0


def test_a_harness_that_breaks_counts_as_lost(short, tmp_path):
    broken = {'chaos': [sys.executable, '-c', '1 / 0']}
    assert running.run(5 / 60, tmp_path, broken) > 0  # seconds, to start Python in
    assert 'ZeroDivisionError' in (tmp_path / 'chaos.log').read_text()


def test_lines_of_another_commit_are_put_aside(short, tmp_path, capsys):
    (tmp_path / 'state.json').write_text('{"commit": "old", "seconds": 9, "ends": 0}')
    (tmp_path / 'chaos.jsonl').write_text('{}\n')
    assert running.run(0.5 / 60, tmp_path, parts()) == 0
    assert (tmp_path / 'old_chaos.jsonl').read_text() == '{}\n'
    assert 'has lines of commit old' in capsys.readouterr().out
    assert state(tmp_path)['commit'] != 'old' and state(tmp_path)['seconds'] < 9
