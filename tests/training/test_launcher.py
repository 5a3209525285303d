"""A process ends with the launcher that has started it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mmdet_eca.training import launcher
from tests.conftest import ROOT

# A process that torchrun could have started, below one that is killed: without the
# seconds that importing the package takes.
RANK = """
import importlib.util, os, sys, time, types
for name in ('p', 'p.engine', 'p.engine.resuming'):
    sys.modules[name] = types.ModuleType(name)
sys.modules['p.engine.resuming'].INTERRUPTED = 75
sys.modules['p.engine'].__path__ = []
spec = importlib.util.spec_from_file_location('p.engine.launcher', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.GRACE = 1
if sys.argv[2] == 'deaf':
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
module.follow_launcher()
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]).wait()
"""


def started(how, **variables):
    """A launcher, and the id of what it has started, which shares its output."""
    words = [sys.executable, '-c', PARENT, RANK, launcher.__file__, how]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables
    )
    return process, int(process.stdout.readline())


@pytest.mark.parametrize('how', ['hears SIGTERM', 'deaf'])
def test_ends_after_its_launcher(how):
    process, _ = started(how, TORCHELASTIC_RUN_ID='1')
    process.send_signal(signal.SIGKILL)
    begin = time.monotonic()
    assert process.stdout.read() == ''  # when the last that writes there has ended
    process.wait()
    assert time.monotonic() - begin < 30


def test_goes_on_if_no_launcher_has_started_it():
    process, rank = started('hears SIGTERM')
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2)
    os.kill(rank, signal.SIGKILL)  # it is still there
    process.stdout.close()
