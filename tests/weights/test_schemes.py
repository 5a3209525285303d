"""What a checkpoint's name means, and what is loaded by it."""

import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from mmdet_eca import UserError
from mmdet_eca.training.checks import _check_pretrained
from mmdet_eca.weights.schemes import local_path
from tests.conftest import ROOT, run
from tests.weights.layouts import fill, resnet_layout


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
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
    for ask in (load, local_path):
        with pytest.raises(UserError, match=r'mmdet_eca\[timm\]'):
            ask('timm://ecaresnet50.a_in1k')


def test_what_cannot_be_downloaded(server):
    for filename in ('mmpretrain://ftp://host/a.pth', 'ecanet://s3://a.pth'):
        with pytest.raises(UserError, match='neither a file, nor a URL'):
            load(filename)


def test_mmengines_loaders_stay_its_own():
    code = (
        'from mmengine.runner import CheckpointLoader as c; before = dict(c._schemes);'
        'import mmdet_eca; after = c._schemes;'
        'assert before.items() <= after.items();'
        'print(*sorted(after.keys() - before.keys()))'
    )
    new = run(sys.executable, '-c', code).stdout.split()
    schemes = ['ecanet://', 'efficientnet-lite://', 'mmpretrain://', 'timm://']
    assert [name for name in new if 'safetensors' not in name] == schemes


def test_safetensors_are_read_by_path_and_url(server, folder, monkeypatch):
    path = str(folder / 'model.safetensors')
    state_dict = timm_resnet(0)
    save_file(state_dict, path)
    for name in (path, f'{server.address}/model.safetensors'):
        loaded = CheckpointLoader.load_checkpoint(name, map_location='cpu')
        assert set(loaded) == set(state_dict)
        assert all(torch.equal(loaded[name], state_dict[name]) for name in loaded)
    assert 'layer1.0.eca.conv.weight' in load(f'timm://{path}')
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    for ask in (load, local_path):
        with pytest.raises(UserError, match=r'mmdet_eca\[timm\]'):
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
        ('open-mmlab://resnet50', None),
        ('https://host/a.pth', None),
    ],
)
def test_what_is_a_file_here(filename, path):
    assert local_path(filename) == path


def test_the_separator_of_another_system(monkeypatch):
    """On Windows os.sep is another, and paths have '/' all the same."""
    monkeypatch.setattr(os, 'sep', '\\')
    assert local_path('timm://folder/weights') == 'folder/weights'


@pytest.mark.parametrize('scheme', ['', 'ecanet://', 'timm://', 'mmpretrain://'])
def test_a_missing_file_is_seen_before_training(scheme, tmp_path):
    path = tmp_path / 'weights.pth'
    model = ConfigDict(
        backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=f'{scheme}{path}'))
    )
    with pytest.raises(UserError, match=f'weights {path} does not exist'):
        _check_pretrained(model)
    torch.save({}, path)
    _check_pretrained(model)
    path.write_bytes(b'PK')
    with pytest.raises(UserError, match=f'{path} is cut off'):
        _check_pretrained(model)
