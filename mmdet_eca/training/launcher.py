"""Ends a process when the torchrun that has started it is killed."""

import os
import signal
import threading
import time

from .resuming import INTERRUPTED

LAUNCHER = 'MMDET_ECA_LAUNCHER'  # its process id, which tools/torchrun.py sets
GRACE = 30  # seconds, as torchrun gives its processes between SIGTERM and SIGKILL


def follow_launcher() -> None:
    """Makes this process end with the torchrun that has started it.

    torchrun's processes have sessions of their own. When it is killed, nobody would
    end them, and they would go on beside those of the run that is resumed. So each of
    them sends itself what torchrun would have sent: SIGTERM, at which a training writes
    a checkpoint, and 30 seconds later the end.
    """
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        launcher = int(os.environ.get(LAUNCHER, os.getppid()))
        threading.Thread(target=_follow, args=(launcher,), daemon=True).start()


def _follow(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(INTERRUPTED)
