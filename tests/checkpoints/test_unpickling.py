"""The pickles in checkpoints: what torch and mmengine write is read, code is not."""

import os
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.utils import digit_version

from mmdet_eca import UserError
from mmdet_eca.checkpoints.files import read_checkpoint as read

HAS_SAFE_GLOBALS = digit_version(torch.__version__) >= digit_version('2.6')
FORMATS = [dict(_use_new_zipfile_serialization=new) for new in (True, False)]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'checkpoint.pth')


def training_state():
    """What mmengine's Runner.save_checkpoint has."""
    hub = MessageHub('unpickling')
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


@pytest.mark.parametrize('written', FORMATS)
def test_mmengines_training_state_is_read(path, written):
    torch.save(training_state(), path, **written)
    check_training_state(read(path))


@pytest.mark.parametrize('numpy', ['numpy.core', 'numpy._core'])
def test_arrays_of_numpy_1_and_2_are_read(path, numpy):
    torch.save(training_state(), path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            if name.endswith('data.pkl'):
                content = content.replace(b'numpy._core.', b'numpy.core.')
                assert content.count(b'cnumpy.core.multiarray\n') > 1
                content = content.replace(b'cnumpy.core.', f'c{numpy}.'.encode())
            archive.writestr(name, content)
    check_training_state(read(path))


class Call:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class State:
    """Pickled as a class, or a function, whose attributes are to be set."""

    def __init__(self, owner, **attributes):
        self.build = getattr, (HistoryBuffer, 'mean'), (None, attributes)

    def __reduce__(self):
        return self.build


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
        read(path)
    assert str(error.value) == (
        f'{path} is refused: to read it, {name} would have to be run, which no '
        'file may ask for; ask its author for the state_dict alone'
    )
    assert os.listdir(tmp_path) == ['checkpoint.pth']


def test_no_function_is_changed(path):
    torch.save(State(HistoryBuffer.mean, ran=True), path)
    with pytest.raises(UserError):
        read(path)
    assert not hasattr(HistoryBuffer.mean, 'ran')


def test_a_torchscript_program_is_refused(path):
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    with pytest.raises(UserError, match='a TorchScript program would have to'):
        read(path)


@pytest.mark.parametrize(
    'variable', ['TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD']
)
def test_torchs_variables_change_nothing(path, variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, '1')
    monkeypatch.chdir(tmp_path)
    torch.save(training_state(), path)
    check_training_state(read(path))
    torch.save(Call(os.system, 'touch ran'), path)
    with pytest.raises(UserError, match='posix.system would have to be run'):
        read(path)
    assert os.listdir(tmp_path) == ['checkpoint.pth']


@pytest.mark.skipif(not HAS_SAFE_GLOBALS, reason='torch before 2.6 reads any pickle')
def test_torch_load_reads_mmengines_checkpoints(path):
    torch.save(training_state(), path)
    check_training_state(torch.load(path))


def test_the_cpu_is_the_default(path):
    torch.save(dict(a=torch.ones(1, device='meta'), b=torch.ones(1)), path)
    assert read(path)['b'].device.type == 'cpu'
    assert read(path, 'meta')['b'].device.type == 'meta'


def test_a_missing_device_is_not_taken_for_a_broken_file(path):
    torch.save(dict(a=torch.ones(1)), path)
    with pytest.raises(RuntimeError, match='CUDA'):
        read(path, 'cuda:99')
