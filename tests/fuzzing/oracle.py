"""What a reader may do: read a file, or refuse it by a UserError of one line."""

import collections
import copyreg
import os
import sys
import time
import traceback
from typing import NamedTuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmdet_eca.errors import UserError

SECONDS = 10  # a file
MEMORY = 2**30  # bytes beside TIMES the file's size
TIMES = 20
LONGEST_MESSAGE = 2000
READ, REFUSED = 'read', 'refused'
# What Python tells of every process, file and program: nothing of it is for a reader.
_RUNS_CODE = ('os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.spawn', 'exec')
_RUNS_CODE += ('subprocess.Popen', 'socket.connect', 'ctypes.dlopen')
_RUNS_CODE += ('pty.spawn', 'os.putenv', 'os.chdir', 'os.kill', 'signal.pthread_kill')
_CHANGES_FILES = ('os.remove', 'os.rename', 'os.rmdir', 'os.mkdir', 'os.link')
_CHANGES_FILES += ('os.symlink', 'os.chmod', 'os.chown', 'os.truncate', 'shutil.rmtree')


class Outcome(NamedTuple):
    """What became of one input.

    ``error`` is None if it is right; ``memory`` is in bytes, of the process at its
    largest, beyond what it had before.
    """

    kind: str
    seed: str
    verdict: str
    error: str = ''
    seconds: float = 0.0
    memory: int = 0


class _Watch:
    """Notes what code or files a reader touches, by Python's audit events."""

    def __init__(self):
        self.folder, self.seen, self.installed = None, [], False

    def start(self, folder):
        if not self.installed:  # a hook stays until the process ends
            sys.addaudithook(self._look)
            self.installed = True
        self.folder, self.seen = os.path.realpath(folder), []

    def stop(self):
        self.folder = None
        return self.seen

    def _look(self, event, arguments):
        if self.folder is None:
            return
        if event == 'open':
            path, _, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if writes and not self._inside(path):
                self._refuse(event, path)
        elif event in _CHANGES_FILES:
            if not self._inside(arguments[0]):
                self._refuse(event, arguments)
        elif event in _RUNS_CODE and not _imports():
            self._refuse(event, arguments)

    def _inside(self, path):
        if not isinstance(path, (str, bytes)):
            return True  # a descriptor, which was opened before
        path = os.path.realpath(os.fsdecode(path))
        return f'{path}/'.startswith(f'{self.folder}/') or path == os.devnull

    def _refuse(self, event, arguments):
        self.seen.append(f'{event} {str(arguments)[:100]}')
        raise RuntimeError(f'a reader does {event}')


def _imports():
    """Whether Python imports a module, whose code runs then."""
    frame = sys._getframe(2)
    while frame is not None:
        if 'importlib' in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


_watch = _Watch()


def judge(kind, seed, read, path):
    """Reads a file, and compares what happens with what may.

    Args:
        kind (str): Of the input, for the report.
        seed (str): From which it was made.
        read (Callable): The reader; it checks what it returns, and raises an
            AssertionError if that is wrong.
        path (str): The file, in a folder of its own.
    """
    folder = os.path.dirname(path)
    before, state = _size_of(path), _global_state()
    base = _memory('VmRSS')
    _reset_memory()  # after it: what is freed in between would count as taken
    start = time.perf_counter()
    raised = None
    _watch.start(folder)
    try:
        read(path)
    except BaseException as error:
        raised = error
    seen, seconds = _watch.stop(), time.perf_counter() - start
    verdict, error = _explain(raised)
    memory = max(0, _memory('VmHWM') - base)
    if seen:
        error = f'does {seen[0]}'
    elif _global_state() != state:
        error = f'changes {_difference(state, _global_state())}'
    elif memory > MEMORY + TIMES * before:
        error = error or f'takes {memory >> 20} MiB for a file of {before} bytes'
    elif seconds > SECONDS:
        error = error or f'takes {seconds:.0f} s'
    return Outcome(kind, seed, verdict, error, seconds, memory)


def _explain(raised):
    """Returns the verdict on an exception or None, and what is wrong with it."""
    if raised is None:
        return READ, ''
    if isinstance(raised, UserError):
        return REFUSED, _check_message(str(raised))
    last = traceback.extract_tb(raised.__traceback__)[-1]
    place = f'{os.path.basename(last.filename)}:{last.lineno}'
    return 'other', f'{type(raised).__name__} at {place}: {str(raised)[:200]}'


def _check_message(message):
    if len(message.splitlines()) != 1:
        return f'a message of several lines: {message[:200]!r}'
    if len(message) > LONGEST_MESSAGE:
        return f'a message of {len(message)} characters: {message[:100]!r}'
    return ''


def _size_of(path):
    """Bytes on the disk: a file with holes has few of them."""
    if not os.path.isfile(path):
        return 0
    status = os.stat(path)
    return min(status.st_size, 512 * status.st_blocks)


def _global_state():
    """What a file has no business with."""
    return {
        'the default type of torch': torch.get_default_dtype(),
        'HistoryBuffer': sorted(vars(HistoryBuffer)),
        'statistics of HistoryBuffer': sorted(
            HistoryBuffer._statistics_methods, key=repr
        ),
        'methods of HistoryBuffer': [
            sorted(vars(getattr(HistoryBuffer, name)))
            for name in ('mean', 'max', 'min', 'current')
        ],
        'OrderedDict': sorted(vars(collections.OrderedDict)),
        'torch.Tensor': len(vars(torch.Tensor)),
        'numpy types': [(d.str, d.fields, d.flags) for d in map(np.dtype, ('f8', '?'))],
        'copyreg': (len(copyreg.dispatch_table), len(copyreg._extension_registry)),
        'tensors that torch has yet to check': len(
            torch._utils._sparse_tensors_to_validate
        ),
        'the folder': os.getcwd(),
        'threads': torch.get_num_threads(),
    }


def _difference(old, new):
    return next(name for name in old if old[name] != new[name])


def _reset_memory():
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')  # VmHWM begins anew


def _memory(name):
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith(name))
    return int(line.split()[1]) * 1024
