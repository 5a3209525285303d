"""A pickle that would run code, in every way by which a checkpoint is read."""

import contextlib
import json
import os
import pickle
import runpy
import sys

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmdet_eca import UserError
from mmdet_eca.checkpoints import convert_checkpoint, schemes
from tests.checkpoints.layouts import fill, resnet_layout
from tests.checkpoints.server import serve
from tests.conftest import ROOT
from tests.tools.test_train import digits_options

CONFIG = 'configs/digits/faster_rcnn_eca_r50_digits.py'


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


def check_refused(read, ran):
    with pytest.raises(UserError) as error:
        read()
    assert not ran.exists()
    assert 'posix.system would have to be run' in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(
    'name',
    [
        '{path}',
        'ecanet://{path}',
        'timm://{path}',
        'mmpretrain://{path}',
        '{url}',
        'ecanet://{url}',
        'timm://{url}',
        'mmpretrain://{url}',
        'torchvision://{model}',
        'modelzoo://{model}',
        'open-mmlab://{model}',
        'openmmlab://{model}',
        'mmcls://{model}',
        's3://bucket/{model}',
        'petrel://bucket/{model}',
    ],
)
def test_the_loader_of_mmengine(name, hostile, ran, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    with serve(hostile.parent) as server:
        url = f'{server.address}/{hostile.name}'
        models = dict(mine=url)
        (tmp_path / 'open_mmlab.json').write_text(json.dumps(models))
        for table in ('get_mmcls_models', 'get_torchvision_models'):
            monkeypatch.setattr(schemes.mmengine_checkpoint, table, lambda: models)
        monkeypatch.setattr(
            schemes, 'get_file_backend', lambda *_, **__: Bucket(hostile)
        )
        name = name.format(path=hostile, url=url, model='mine')
        check_refused(lambda: CheckpointLoader.load_checkpoint(name), ran)


class Bucket:
    """A storage whose only file is this one."""

    def __init__(self, path):
        self.path = path

    def get(self, name):
        return self.path.read_bytes()


def test_the_hugging_face_hub(hostile, ran, tmp_path, monkeypatch):
    """Only model.safetensors is asked for, which cannot have code."""
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    folder = hostile.parent / 'timm/mine/resolve/main'
    folder.mkdir(parents=True)
    for name in ('model.safetensors', 'pytorch_model.bin'):
        (folder / name).write_bytes(hostile.read_bytes())
    with serve(hostile.parent) as server:
        monkeypatch.setenv('HF_ENDPOINT', server.address)
        with pytest.raises(UserError, match='model.safetensors is cut off'):
            CheckpointLoader.load_checkpoint('timm://mine')
    assert not ran.exists()


def test_the_converter(hostile, ran, tmp_path):
    out = tmp_path / 'out.pth'
    message = check_refused(lambda: convert_checkpoint(str(hostile), str(out)), ran)
    assert message.startswith(f'{hostile} is refused') and not out.exists()


WITH_INIT_CFG = """
_base_ = '{root}/{config}'
model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained', {arguments})))
"""


@pytest.mark.parametrize('hostile', ['zip'], indirect=True)
@pytest.mark.parametrize(
    ('name', 'arguments', 'init_cfg'),
    [
        ('test.py', ['{path}'], None),
        ('train.py', [], None),  # load_from
        ('train.py', ['--resume', '{path}'], None),
        ('train.py', ['--resume'], None),  # from last_checkpoint
        ('train.py', [], "checkpoint='{path}'"),
        ('train.py', [], "checkpoint='{url}'"),
        ('train.py', [], "checkpoint='{path}', prefix='backbone.'"),
    ],
)
def test_the_tools(
    name, arguments, init_cfg, hostile, ran, digits, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('LOCAL_RANK', '0')
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text(str(hostile))
    with serve(hostile.parent) as server:
        places = dict(path=hostile, url=f'{server.address}/{hostile.name}')
        config = CONFIG
        if init_cfg is not None:
            config = tmp_path / 'config.py'
            config.write_text(
                WITH_INIT_CFG.format(
                    root=ROOT, config=CONFIG, arguments=init_cfg.format(**places)
                )
            )
        more = {'optim_wrapper.optimizer.fused': False}  # for torch 2.1
        if name == 'train.py' and not (arguments or init_cfg):
            more['load_from'] = hostile
        arguments = [argument.format(**places) for argument in arguments]
        monkeypatch.setattr(
            sys,
            'argv',
            [
                f'tools/{name}',
                str(config),
                *arguments,
                '--work-dir',
                str(work_dir),
                *digits_options(digits, **more),
            ],
        )
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(f'tools/{name}', run_name='__main__')
    assert not ran.exists()
    # A text: Python prints it and ends with status 1, see test_convert_checkpoint.py.
    message = ended.value.code
    assert message.startswith(f'tools/{name}: error: {tmp_path}')
    assert 'posix.system would have to be run' in message
    assert len(message.splitlines()) == 1
