"""What a checkpoint's name means, and what is loaded by it."""

import json
import os
import subprocess
import sys

import mmdet
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from mmdet_eca import UserError
from mmdet_eca.checkpoints import local_path, schemes
from mmdet_eca.engine.checks import _check_pretrained
from tests.checkpoints.layouts import fill, resnet_layout
from tests.conftest import ROOT


def timm_resnet(seed):
    """timm's names for ecaresnet50, whose stem is plain."""
    state_dict = fill(resnet_layout(50, (5, 5, 5, 7)), seed)
    return {k.replace('.eca.', '.se.'): v for k, v in state_dict.items()}


def load(filename):
    return CheckpointLoader.load_checkpoint(filename)['state_dict']


def write_model(folder, name, seed=0):
    """As on the hub; returns the path of its weights."""
    path = folder / 'timm' / name / 'resolve/main/model.safetensors'
    path.parent.mkdir(parents=True)
    save_file(timm_resnet(seed), path)
    return path


def test_timms_models_are_downloaded_once_and_told_apart(server, folder):
    names = ('ecaresnet50.a_in1k', 'ecaresnet50.b_in1k')
    for seed, name in enumerate(names):
        write_model(folder, name, seed)
    for _ in range(2):
        for seed, name in enumerate(names):
            loaded = load(f'timm://{name}')
            assert torch.equal(
                loaded['layer4.2.eca.conv.weight'],
                timm_resnet(seed)['layer4.2.se.conv.weight'],
            )
    downloads = [line for line in server.requests if line.startswith('GET')]
    assert downloads == [
        f'GET /timm/{name}/resolve/{revision}/model.safetensors HTTP/1.1'
        for name in names
        for revision in ['main']
    ]


def test_timms_models_by_the_environment_alone(server, folder, tmp_path):
    """Nothing is patched; the second process has no network."""
    write_model(folder, 'ecaresnet50.a_in1k')
    code = (
        'import mmdet_eca; from mmengine.runner import CheckpointLoader; '
        'loaded = CheckpointLoader.load_checkpoint('
        '"timm://ecaresnet50.a_in1k"); print(len(loaded["state_dict"]))'
    )
    for offline, address in (('0', server.address), ('1', 'http://127.0.0.1:9')):
        done = subprocess.run(
            [sys.executable, '-c', code],
            cwd=ROOT,
            text=True,
            capture_output=True,
            env=dict(
                os.environ,
                HF_HOME=str(tmp_path / 'home'),
                HF_ENDPOINT=address,
                HF_HUB_OFFLINE=offline,
            ),
            check=False,
        )
        assert done.stdout.split()[-1:] == [str(len(timm_resnet(0)))], done.stderr


def test_timms_models_that_cannot_be_had(server, folder, monkeypatch):
    with pytest.raises(
        UserError,
        match='timm://none.in1k cannot be downloaded'
        r' \(.*404.*\): fetch model.safetensors of timm/none',
    ):
        load('timm://none.in1k')
    path = write_model(folder, 'ecaresnet50.a_in1k')
    load('timm://ecaresnet50.a_in1k')
    blobs = [
        os.path.join(place, name)
        for place, _, names in os.walk(folder.parent / 'hub')
        for name in names
        if os.path.getsize(os.path.join(place, name)) == path.stat().st_size
    ]
    blob = os.path.realpath(blobs[0])
    with open(blob, 'r+b') as file:
        file.seek(-4, os.SEEK_END)
        file.write(b'1234')
    with pytest.raises(UserError, match='damaged .*: delete it') as error:
        load('timm://ecaresnet50.a_in1k')
    assert str(error.value).startswith(blob)
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
    for ask in (load, local_path):
        with pytest.raises(UserError, match='pip install safetensors huggingface_hub'):
            ask('timm://ecaresnet50.a_in1k')


def test_what_cannot_be_downloaded(server):
    for filename in ('mmpretrain://ftp://host/a.pth', 'ecanet://s3://a.pth'):
        with pytest.raises(UserError, match='neither a file, nor a URL'):
            load(filename)
    with pytest.raises(UserError, match='is not among http://, https://, ecane'):
        load('swift://host/a.pth')
    with pytest.raises(UserError, match='torchvision://resnet51: no model of'):
        load('torchvision://resnet51')


def test_torchvisions_weights_do_not_need_torchvision(
    server, folder, cache, monkeypatch
):
    """The configs name the addresses that mmengine has for them."""
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    for depth, digits in ((50, '0676ba61'), (101, '63fe2227')):
        address = f'https://download.pytorch.org/models/resnet{depth}-{digits}.pth'
        for scheme in ('torchvision', 'modelzoo'):
            name = f'{scheme}://resnet{depth}'
            assert schemes._resolve(name) == ('url', address)
            assert local_path(name) is None
        with open(f'{ROOT}/configs/_base_/r{depth}.py') as file:
            assert address in file.read()


def test_mmdets_configs_name_known_models(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    names = subprocess.run(
        [
            'grep',
            '-rhoE',
            "'(torchvision|open-mmlab)://[^']*'",
            f'{mmdet.__path__[0]}/.mim/configs',
        ],
        text=True,
        capture_output=True,
        check=True,
    )
    names = {name.strip("'") for name in names.stdout.split()}
    assert len(names) > 30
    for name in names:
        assert local_path(name) is None, name


def test_mmengines_other_schemes(server, folder, tmp_path, monkeypatch):
    """Its tables of models, a user's own in MMENGINE_HOME, and buckets."""
    torch.save(
        dict(state_dict={'backbone.w': torch.ones(1), 'head.w': torch.ones(2)}),
        folder / 'model.pth',
    )
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    address = f'{server.address}/model.pth'
    (tmp_path / 'open_mmlab.json').write_text(
        json.dumps(dict(mine=address, local='served/model.pth'))
    )
    monkeypatch.setattr(
        schemes.mmengine_checkpoint, 'get_mmcls_models', lambda: dict(mine=address)
    )
    both = ['backbone.w', 'head.w']
    for name in ('open-mmlab://mine', 'openmmlab://local', address):
        assert sorted(load(name)) == both
    assert local_path('openmmlab://local') == str(tmp_path / 'served/model.pth')
    assert list(load('mmcls://mine')) == ['w']

    class Bucket(BaseStorageBackend):
        def get(self, filepath):
            assert filepath == 's3://bucket/model.pth'
            return (folder / 'model.pth').read_bytes()

        def get_text(self, filepath):
            raise NotImplementedError

    register_backend('petrel', Bucket, force=True)
    assert sorted(load('s3://bucket/model.pth')) == both
    assert local_path('s3://bucket/model.pth') is None


def test_safetensors_are_read(tmp_path, monkeypatch):
    path = str(tmp_path / 'model.safetensors')
    state_dict = timm_resnet(0)
    save_file(state_dict, path)
    loaded = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    assert set(loaded) == set(state_dict)
    assert all(torch.equal(loaded[name], state_dict[name]) for name in loaded)
    assert 'layer1.0.eca.conv.weight' in load(f'timm://{path}')
    os.truncate(path, 1000)
    with pytest.raises(UserError, match='model.safetensors is cut off'):
        load(path)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    for ask in (load, local_path):
        with pytest.raises(UserError, match='pip install safetensors$'):
            ask(path)


@pytest.mark.parametrize(
    ('filename', 'path'),
    [
        ('pretrained/a.pth', 'pretrained/a.pth'),
        ('ecanet://pretrained/a.pth.tar', 'pretrained/a.pth.tar'),
        ('ecanet://resnet50', 'resnet50'),
        ('timm://a.bin', 'a.bin'),
        ('timm://folder/weights', 'folder/weights'),
        (r'timm://folder\weights', r'folder\weights'),
        (r'C:\weights\a.pth', r'C:\weights\a.pth'),
        ('timm://ecaresnet50d.miil_in1k', None),
        ('timm://https://host/a.bin', None),
        ('mmpretrain://https://host/a.pth', None),
        ('mmpretrain:///data/a.pth', '/data/a.pth'),
        ('torchvision://resnet50', None),
        ('https://host/a.pth', None),
    ],
)
def test_what_is_a_file_here(filename, path):
    assert local_path(filename) == path


def test_the_separator_of_another_system(monkeypatch):
    """On Windows os.sep is another, and paths have '/' all the same."""
    monkeypatch.setattr(os, 'sep', '\\')
    assert local_path('timm://folder/weights') == 'folder/weights'


def test_somebody_elses_scheme_is_left_alone():
    CheckpointLoader.register_scheme(
        'mine://', lambda filename, map_location: dict(state_dict=dict(a=1))
    )
    assert load('mine://anything') == dict(a=1)
    assert local_path('mine://anything') is None


@pytest.mark.parametrize('scheme', ['', 'ecanet://', 'timm://', 'mmpretrain://'])
def test_a_missing_file_is_seen_before_training(scheme, tmp_path):
    path = tmp_path / 'weights.pth'
    model = ConfigDict(
        backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=f'{scheme}{path}'))
    )
    with pytest.raises(UserError, match=f'weights {path} does not exist'):
        _check_pretrained(model)
    path.touch()
    _check_pretrained(model)
