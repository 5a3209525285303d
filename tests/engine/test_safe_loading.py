import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

import mmdet_eca  # noqa: F401


def test_mmengines_own_state_loads_safely(tmp_path):
    hub = MessageHub('safe_loading')
    for step in range(3):
        hub.update_scalar('train/loss', np.float32(step))
        hub.update_scalar('train/lr', torch.tensor(0.1 * step))
    hub.update_info('iter', np.int64(3))
    path = tmp_path / 'checkpoint.pth'
    torch.save(dict(message_hub=hub.state_dict(), array=np.arange(3)), path)
    loaded = torch.load(path, weights_only=True)
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.mean() == 1 and buffer.current() == 2
    assert loaded['message_hub']['runtime_info']['iter'] == 3
    assert loaded['array'].tolist() == [0, 1, 2]


class Attribute:
    """Pickled as a call of getattr."""

    def __init__(self, owner, name):
        self.arguments = (owner, name)

    def __reduce__(self):
        return getattr, self.arguments


@pytest.mark.parametrize('arguments', [(HistoryBuffer, '__init__'),
                                       (np.ndarray, 'tofile')])
def test_getattr_reaches_nothing_but_the_statistics(tmp_path, arguments):
    path = tmp_path / 'checkpoint.pth'
    torch.save(Attribute(*arguments), path)
    with pytest.raises((pickle.UnpicklingError, ValueError), match='asks for'):
        torch.load(path, weights_only=True)


class Command:
    """Pickled as a call of os.system."""

    def __reduce__(self):
        return os.system, ('true', )


def test_code_is_refused(tmp_path):
    path = tmp_path / 'checkpoint.pth'
    torch.save(Command(), path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path)
