"""No checkpoint runs code through any command: it is refused in one line."""

import contextlib
import os
import pickle
from importlib.metadata import distributions

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmdet_eca import UserError
from tests.conftest import ROOT
from tests.tools.in_process import mistake
from tests.tools.test_train import digits_options
from tests.weights.layouts import fill, resnet_layout
from tests.weights.server import serve

CONFIG = f'{ROOT}/configs/digits/faster_rcnn_eca_r50_digits.py'


class Command:
    """Pickled as a call of os.system, which leaves a file behind."""

    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return os.system, (f'touch {self.ran}',)


@pytest.fixture
def ran(tmp_path):
    return tmp_path / 'ran'


@pytest.fixture(params=['zip', 'before torch 1.6', 'plain pickle'])
def hostile(request, tmp_path, ran):
    """The file, beside weights that are in order."""
    (tmp_path / 'served').mkdir()
    path = tmp_path / 'served' / 'hostile.pth'
    content = dict(
        state_dict=fill(resnet_layout(50, (5, 5, 5, 7))),
        meta=dict(mmdet_version=Command(ran)),
    )
    if request.param == 'plain pickle':
        path.write_bytes(pickle.dumps(Command(ran), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=request.param == 'zip')
    return path


def test_the_code_is_run_by_unsafe_loading(hostile, ran):
    with contextlib.suppress(Exception):  # what it returns is no checkpoint
        torch.load(hostile, weights_only=False)
    assert ran.exists()


def is_fork():
    """Whether mmengine is the maintained fork."""
    return any(d.metadata['Name'] == 'onedl-mmengine' for d in distributions())


@pytest.mark.parametrize('scheme', ['', 'ecanet://', 'timm://', 'mmpretrain://'])
def test_by_mmengines_loader(scheme, hostile, ran):
    """Of a plain file it is torch's own refusal."""
    if not scheme and is_fork():
        pytest.skip('the fork of mmengine falls back to unsafe loading by itself')
    with pytest.raises((UserError, pickle.UnpicklingError), match='posix.system'):
        CheckpointLoader.load_checkpoint(f'{scheme}{hostile}')
    assert not ran.exists()


COMMANDS = {
    'convert': ['convert-checkpoint', '{path}', '{out}'],
    'add': ['add-attention', '{path}', '{out}'],
    'predict': ['predict', CONFIG, '{path}', '{digits}/val', '--out', '{out}'],
    'test': ['test', CONFIG, '{path}'],
    'load_from': ['train', CONFIG, 'load_from={path}'],
    'url': ['train', CONFIG, 'load_from={url}'],
    'resume': ['train', CONFIG, '--resume'],
    'resume path': ['train', CONFIG, '--resume', '{path}'],
    'init_cfg': ['train', CONFIG, 'init_cfg={path}'],
    'init_cfg of a url': ['train', CONFIG, 'init_cfg={url}'],
    'init_cfg of ours': ['train', CONFIG, 'init_cfg=ecanet://{url}'],
}
INIT = 'model.backbone.init_cfg'


@pytest.mark.parametrize('hostile', ['zip'], indirect=True)
@pytest.mark.parametrize('way', COMMANDS)
def test_by_a_command(way, hostile, ran, digits, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text(str(hostile))
    with serve(hostile.parent) as server:
        places = dict(
            path=hostile,
            url=f'{server.address}/{hostile.name}',
            out=tmp_path / 'out',
            digits=digits,
        )
        words = [word.format(**places) for word in COMMANDS[way]]
        if words[0] in ('train', 'test'):
            options = {}
            key, equals, value = words[-1].partition('=')
            if equals:
                words.pop()
                options = {'load_from': value}
                if key == 'init_cfg':
                    options = {
                        f'{INIT}.type': 'Pretrained',
                        f'{INIT}.checkpoint': value,
                    }
            words += ['--work-dir', work_dir, *digits_options(digits, **options)]
        line = mistake(*words)
    assert not ran.exists() and not (tmp_path / 'out').exists()
    assert 'posix.system would have to be run' in line
