"""Commands that tests call where a process of their own is not the point: each saves
the seconds in which Python imports torch and mmdet."""

import gc
from pathlib import Path

import pytest
import torch
from mmengine.device import utils as device
from torch.utils.data import DataLoader

from mmdet_eca.commands import main
from tests.conftest import new_run


def call(*words) -> None:
    """Runs ``mmdet-eca`` with these words, as `tests.conftest.run` runs processes:
    without GPUs, in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with new_run(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(device, 'DEVICE', 'cpu')
            # Which the command would leave behind.
            patch.setenv('LOCAL_RANK', '0')
            patch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
            main([str(word) for word in words])
    finally:
        torch.set_num_threads(threads)
        end_workers()


def end_workers() -> None:
    """Ends the processes of data loaders that keep them.

    When Python deletes a whole run, the queues go first: the message that ends a
    worker is lost, and torch waits five seconds for each.
    """
    for loader in gc.get_objects():
        if type(loader) is DataLoader and loader._iterator is not None:
            loader._iterator._shutdown_workers()


def mistake(*words) -> str:
    """The line with which a command ends on a user's mistake, with status 1."""
    with pytest.raises(SystemExit) as end:
        call(*words)
    assert isinstance(end.value.code, str)  # which Python prints, and exits with 1
    assert len(end.value.code.splitlines()) == 1
    return end.value.code


def log(work_dir) -> str:
    """What the latest run in a work directory has logged."""
    *_, path = sorted(Path(work_dir).glob('*/*.log'))
    return path.read_text()
