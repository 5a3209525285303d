"""What a report says of the code and the machine."""

import os
import os.path as osp
import platform
import subprocess
from importlib.metadata import version

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))


def commit():
    """The commit, with '-dirty' if tracked files differ from it."""
    words = ['git', 'describe', '--always', '--dirty', '--abbrev=10', '--exclude=*']
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=False)
    return done.stdout.strip() or 'unknown'


def machine():
    """The processor, its cores, Python and torch, in a line."""
    model = platform.machine()
    if osp.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo') as file:
            names = [line for line in file if line.startswith('model name')]
        if names:
            model = names[0].split(':', 1)[1].strip()
    return (
        f'{model}, {os.cpu_count()} cores, Python {platform.python_version()}, '
        f'torch {version("torch")}'
    )
