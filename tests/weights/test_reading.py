"""Checkpoints are data: what torch and mmengine write is read, code is not run."""

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from safetensors.torch import save_file

from mmdet_eca import UserError
from mmdet_eca.weights.files import read_checkpoint

FORMATS = [dict(_use_new_zipfile_serialization=new) for new in (True, False)]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'checkpoint.pth')


def training_state():
    """What mmengine's Runner.save_checkpoint has."""
    hub = MessageHub('reading')
    for step in range(3):
        hub.update_scalar('train/loss', np.float32(step))
        hub.update_scalar('train/lr', torch.tensor(0.1 * step))
    hub.update_info('iter', np.int64(3))
    hub.update_info('best', np.float64(0.5))
    model = torch.nn.Linear(3, 2).bfloat16()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3).bfloat16()).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [8, 11, 11])
    return dict(
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[scheduler.state_dict()],
        message_hub=hub.state_dict(),
        meta=dict(dataset_meta=dict(classes=('a', 'b'), ids={1, 2})),
        array=np.arange(3),
    )


def check_training_state(loaded):
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.mean() == 1 and buffer.statistics('current') == 2
    assert loaded['message_hub']['runtime_info'] == dict(iter=3, best=0.5)
    assert loaded['state_dict']['weight'].dtype == torch.bfloat16
    assert loaded['optimizer']['state'][0]['step'] == 1
    assert loaded['param_schedulers'][0]['milestones'] == {8: 1, 11: 2}
    assert loaded['meta']['dataset_meta'] == dict(classes=('a', 'b'), ids={1, 2})
    assert loaded['array'].tolist() == [0, 1, 2]


def rewritten(path, edit, method=zipfile.ZIP_STORED):
    """Writes a checkpoint again, with other bytes of its entries."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in files.items():
            archive.writestr(name, edit(name, content))


@pytest.mark.parametrize('written', FORMATS)
def test_mmengines_training_state_is_read(path, written):
    torch.save(training_state(), path, **written)
    check_training_state(read_checkpoint(path))
    check_training_state(torch.load(path))  # as mmengine does


@pytest.mark.parametrize('numpy', ['numpy.core', 'numpy._core'])
def test_arrays_of_numpy_1_and_2_are_read(path, numpy):
    def rename(name, content):
        content = content.replace(b'numpy._core.', b'numpy.core.')
        return content.replace(b'cnumpy.core.', f'c{numpy}.'.encode())

    torch.save(training_state(), path)
    rewritten(path, rename)
    check_training_state(read_checkpoint(path))


def test_safetensors_are_read(tmp_path):
    path = str(tmp_path / 'a.safetensors')
    save_file(dict(a=torch.arange(3)), path)
    assert read_checkpoint(path)['a'].tolist() == [0, 1, 2]
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', 2**40) + b'{}')
    with pytest.raises(UserError, match='a.safetensors is cut off'):
        read_checkpoint(path)


class Call:
    """Pickled as a call of a function, and a state for what it returns."""

    def __init__(self, function, *arguments, state=None):
        self.call = function, arguments, state

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('written', FORMATS)
@pytest.mark.parametrize(
    ('content', 'name'),
    [
        (Call(os.system, 'touch ran'), 'posix.system'),
        (Call(eval, 'open("ran", "w")'), 'eval'),
        (Call(getattr, HistoryBuffer, '__init__'), 'getattr'),
        (Call(getattr, np.ndarray, 'tofile'), 'getattr'),
        (os.path.join, 'posixpath.join'),
    ],
)
def test_what_would_be_run_is_named(
    path, written, content, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict=dict(a=torch.ones(1)), more=content), path, **written)
    with pytest.raises(UserError) as error:
        read_checkpoint(path)
    assert f'{path} is refused: to read it, {name} would' in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert os.listdir(tmp_path) == ['checkpoint.pth']


def test_a_torchscript_program_is_refused(path):
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    with pytest.raises(UserError, match='checkpoint.pth is '):
        read_checkpoint(path)


def test_a_cut_off_file_is_refused(path):
    torch.save(training_state(), path)
    os.truncate(path, 1000)
    with pytest.raises(UserError, match='checkpoint.pth is cut off'):
        read_checkpoint(path)


def test_a_zip_bomb_is_refused_before_it_takes_memory(path):
    torch.save(dict(a=torch.ones(4)), path)
    size, claimed = (struct.pack('<I', number) for number in (2**21, 2**31))
    rewritten(
        path,
        lambda name, content: bytes(2**21) if name.endswith('data/0') else content,
        zipfile.ZIP_DEFLATED,
    )
    with open(path, 'rb') as file:
        data = file.read()
    assert data.count(size) == 2  # in the entry's header and in the directory
    with open(path, 'wb') as file:
        file.write(data.replace(size, claimed))
    with pytest.raises(UserError, match='would become 214748'):
        read_checkpoint(path)


def test_a_dtype_that_takes_numbers_for_addresses(path):
    """numpy 1.26 ends with a segmentation fault on some of these states."""
    plain = (3, '<', None, None, None, -1, -1, 0)
    for state in (
        plain,
        (*plain[:7], 1),
        (3, '<', (np.dtype('f4'), (2,)), *plain[3:]),
        (3, '<', None, ('a',), {'a': (np.dtype('f4'), 0)}, *plain[5:]),
        (*plain[:5], 8, 8, 63),
    ):
        torch.save(Call(np.dtype, 'f8', False, True, state=state), path)
        assert read_checkpoint(path) is np.dtype('f8')
    assert np.dtype('f8').__reduce__()[2] == plain
    for name in ('O', 'f8,O', 'V8'):
        torch.save(Call(np.dtype, name, False, True), path)
        with pytest.raises(UserError, match='checkpoint.pth is cut off, or no'):
            read_checkpoint(path)


def test_a_dtype_is_called_by_no_other_name(path):
    content = pickle.dumps(Call(type(np.dtype('f8'))), protocol=2)
    torch.save(dict(), path)
    rewritten(path, lambda name, old: content if name.endswith('.pkl') else old)
    with pytest.raises(UserError, match='Float64DType would have to be run'):
        read_checkpoint(path)


def test_the_cpu_is_the_default(path):
    torch.save(dict(a=torch.ones(1, device='meta'), b=torch.ones(1)), path)
    assert read_checkpoint(path)['b'].device.type == 'cpu'
    assert read_checkpoint(path, 'meta')['b'].device.type == 'meta'


def test_a_missing_device_is_not_taken_for_a_broken_file(path):
    torch.save(dict(a=torch.ones(1)), path)
    with pytest.raises(RuntimeError, match='CUDA'):
        read_checkpoint(path, 'cuda:99')
