"""Which processes there are below this one, and how they have ended."""

import contextlib
import ctypes
import os
import signal
import time

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER in linux/prctl.h


def adopt_orphans():
    """Makes this process the parent of those below it whose parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), 'prctl')


def _parents():
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat') as file:
                    state, parent = file.read().rpartition(')')[2].split()[:2]
            except OSError:  # it has ended meanwhile
                continue
            if state != 'Z':
                found[int(name)] = int(parent)
    return found


def children(parent):
    """The ids of the processes whose parent this is."""
    return [pid for pid, its_parent in _parents().items() if its_parent == parent]


def descendants(root):
    """The ids of all processes below one."""
    parents, found, new = _parents(), [], [root]
    while new:
        new = [pid for pid, parent in parents.items() if parent in new]
        found += new
    return found


def described(pid):
    """A process for a message: its id, its parent's and its command."""
    try:
        with open(f'/proc/{pid}/cmdline') as file:
            return f'{pid} ({file.read().replace(chr(0), " ").strip()[:200]})'
    except OSError:
        return str(pid)


def reap(statuses):
    """Adds how processes below this one have ended: by id, negative for a signal."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        statuses[pid] = os.waitstatus_to_exitcode(status)


def wait_for_none(statuses, limit):
    """Waits until no process is left below this one; returns those that are."""
    end = time.monotonic() + limit
    while True:
        reap(statuses)
        left = descendants(os.getpid())
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def end_all():
    """Kills the processes below this one."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
