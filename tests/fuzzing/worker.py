"""A process that reads hostile files, and may die of it."""

import contextlib
import faulthandler
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile

from tests.fuzzing.oracle import SECONDS, Outcome, judge

_PATIENCE = 2 * SECONDS  # for a reader that never comes back
_INPUTS = 3000  # of one process
_ADDRESSES = 6 * 2**30  # bytes of address space beyond those at its start


class Worker:
    """Reads inputs in a process of its own, and starts another when that one dies.

    Args:
        kinds (dict[str, Kind]): The kinds of input by their names.
        patience (float): Seconds after which an input counts as one that hangs.
    """

    def __init__(self, kinds, patience=_PATIENCE):
        self.kinds, self.patience = kinds, patience
        self.folder = tempfile.mkdtemp(prefix='fuzzing-', dir=_memory_folder())
        self.process, self.done = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, kind, seed):
        """Makes an input and has it read.

        Args:
            kind (str): A key of ``kinds``.
            seed (str): Gives the same input again.

        Returns:
            Outcome: What became of it.
        """
        if self.process is None or self.done >= _INPUTS:
            self.stop()
            self._start()
        self.done += 1
        self.connection.send((kind, seed))
        if not self.connection.poll(self.patience):
            self.stop(kill=True)
            return Outcome(kind, seed, 'hangs', f'hangs for {self.patience} s')
        try:
            outcome = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            reason = self.process.exitcode
            self.process = None
            name = signal.Signals(-reason).name if reason < 0 else f'status {reason}'
            return Outcome(kind, seed, 'dies', f'the process dies of {name}')
        return outcome

    def stop(self, kill=False):
        """Ends the process."""
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            with contextlib.suppress(OSError):
                self.connection.send(None)
        self.process.join()
        self.process = None

    def _start(self):
        context = multiprocessing.get_context('fork')  # what is imported stays so
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, self.connection, self.kinds, self.folder)
        )
        self.process.start()
        other.close()
        self.done = 0


def make_input(kind, seed, folder):
    """Makes the file of a kind and a seed, and returns its path."""
    from random import Random

    return kind.make(Random(seed), folder)


def _serve(connection, parents_end, kinds, folder):
    import cv2
    import torch

    parents_end.close()
    faulthandler.disable()  # pytest's: the parent says what the process died of
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    tempfile.tempdir = folder  # locks belong there
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space() + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # What OpenCV, libjpeg and torch have to say of hostile files.
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # not what pytest reads
    while True:
        asked = connection.recv()
        if asked is None:
            return
        name, seed = asked
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            path = make_input(kinds[name], seed, folder)
        except Exception as error:  # a mistake of ours, which ends no soak
            text = f'could not be made: {type(error).__name__}: {error}'
            connection.send(Outcome(name, seed, 'not made', text))
            continue
        connection.send(judge(name, seed, kinds[name].read, path))


def _address_space():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _memory_folder():
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
