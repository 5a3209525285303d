"""What the end of another process does to this one, in words instead of a traceback."""

import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmdet_eca import UserError
from mmdet_eca.training.lost_processes import explained_lost_processes


class Killed(Dataset):
    """Its third sample ends the process that reads it."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(3)


@pytest.fixture
def _handler():
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures('_handler')
def test_a_worker_of_a_data_loader():
    # torch's handler names the signal; it is gone once a run has been ended so.
    message = r'data loader has been ended( by a signal \(Killed\))?: .*num_workers'
    with pytest.raises(UserError, match=message), explained_lost_processes():
        list(DataLoader(Killed(), num_workers=1))


def format_config():
    """As mmengine does, when torch's handler raises in the middle of it."""
    try:
        raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
    except RuntimeError as error:
        raise SyntaxError('Failed to format the config file') from error


@pytest.mark.usefixtures('_handler')
def test_a_worker_whose_end_another_error_reports():
    message = r'data loader has been ended by a signal \(Killed\): '
    with pytest.raises(UserError, match=message), explained_lost_processes():
        format_config()


@pytest.mark.parametrize(
    'text',
    [
        '[/pytorch/gloo/transport/tcp/pair.cc:553] Connection closed by peer [::1]:9',
        '[gloo/transport/tcp/pair.cc:537] Read error [::1]:9: Connection reset by peer',
        'NCCL communicator was aborted on rank 1.',
    ],
)
def test_another_rank(text):
    """Texts of torch 2.1 and 2.13."""
    message = 'another process of this run has ended'
    with pytest.raises(UserError, match=message), explained_lost_processes():
        raise RuntimeError(text)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('mat1 and mat2 shapes cannot be multiplied'),
        RuntimeError('gloo: tensors must have the same size'),
        ConnectionResetError('Connection reset by peer'),  # of a download
    ],
)
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)) as raised, explained_lost_processes():
        raise error
    assert raised.value is error
