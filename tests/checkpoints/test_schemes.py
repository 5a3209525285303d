"""Downloads, from a server of this process."""
import functools
import http.server
import os
import threading

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner import CheckpointLoader

from mmdet_eca import UserError
from mmdet_eca.checkpoints import local_path, schemes
from mmdet_eca.engine.checks import _check_pretrained
from tests.checkpoints.layouts import fill, other_layout


class Command:
    """Pickled as a call of os.system."""

    def __reduce__(self):
        return os.system, ('true', )


def timm_resnet(seed):
    """timm's names for ecaresnet50, whose stem is plain."""
    state_dict = fill(other_layout(50, (5, 5, 5, 7)), seed)
    return {k.replace('.eca.', '.se.'): v for k, v in state_dict.items()}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder, and the address at which it is served."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'served'
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):

        def log_message(self, _, request, *args):
            requests.append(request)

    httpd = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f'http://127.0.0.1:{httpd.server_port}', requests
    httpd.shutdown()
    httpd.server_close()


def load(filename):
    return CheckpointLoader.load_checkpoint(filename)['state_dict']


def test_timms_models_are_downloaded_once_and_told_apart(server, monkeypatch):
    folder, address, requests = server
    assert schemes.TIMM_URL.format('ecaresnet50d.miil_in1k') == (
        'https://huggingface.co/timm/ecaresnet50d.miil_in1k/'
        'resolve/main/pytorch_model.bin')
    monkeypatch.setattr(schemes, 'TIMM_URL', address + '/{}/pytorch_model.bin')
    models = {}
    for seed, name in enumerate(('ecaresnet50.a_in1k', 'ecaresnet50.b_in1k')):
        (folder / name).mkdir(parents=True)
        models[name] = timm_resnet(seed)
        torch.save(models[name], folder / name / 'pytorch_model.bin')
    for _ in range(2):
        for name, theirs in models.items():
            ours = load(f'timm://{name}')
            assert torch.equal(ours['layer4.2.eca.conv.weight'],
                               theirs['layer4.2.se.conv.weight'])
    assert len(requests) == 2


def test_a_url_is_read_safely(server):
    """mmengine's loader would run the command."""
    folder, address, _ = server
    folder.mkdir()
    torch.save(dict(state_dict=Command()), folder / 'model.pth')
    for scheme in ('ecanet', 'timm', 'mmpretrain'):
        with pytest.raises(UserError, match='system would have to be run'):
            load(f'{scheme}://{address}/model.pth')


def test_what_cannot_be_downloaded(server):
    _, address, _ = server
    with pytest.raises(UserError, match='404.*name the file instead'):
        load(f'timm://{address}/none.pth')
    for filename in ('mmpretrain://ftp://host/a.pth', 'ecanet://s3://a.pth'):
        with pytest.raises(UserError, match='neither a file, nor a URL'):
            load(filename)


@pytest.mark.parametrize(('filename', 'path'), [
    ('pretrained/a.pth', 'pretrained/a.pth'),
    ('ecanet://pretrained/a.pth.tar', 'pretrained/a.pth.tar'),
    ('ecanet://resnet50', 'resnet50'),
    ('timm://a.bin', 'a.bin'),
    ('timm://folder/weights', 'folder/weights'),
    ('timm://ecaresnet50d.miil_in1k', None),
    ('timm://https://host/a.bin', None),
    ('mmpretrain://https://host/a.pth', None),
    ('mmpretrain:///data/a.pth', '/data/a.pth'),
    ('torchvision://resnet50', None),
    ('https://host/a.pth', None),
])
def test_what_is_a_file_here(filename, path):
    assert local_path(filename) == path


@pytest.mark.parametrize(
    'scheme', ['', 'ecanet://', 'timm://', 'mmpretrain://'])
def test_a_missing_file_is_seen_before_training(scheme, tmp_path):
    path = tmp_path / 'weights.pth'
    model = ConfigDict(backbone=dict(init_cfg=dict(
        type='Pretrained', checkpoint=f'{scheme}{path}')))
    with pytest.raises(UserError, match=f'weights {path} does not exist'):
        _check_pretrained(model)
    path.touch()
    _check_pretrained(model)
