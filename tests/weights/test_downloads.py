"""Downloads, from a server of this process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmdet_eca import UserError
from mmdet_eca.weights.downloads import download, hash_in_name
from tests.weights.layouts import fill, resnet_layout
from tests.weights.server import named_by_hash


def files_in(cache):
    return {
        name
        for _, _, names in os.walk(cache)
        for name in names
        if not name.endswith('.lock')
    }


def test_a_file_is_downloaded_once_for_all_processes(server, folder, cache):
    torch.save(fill(resnet_layout()), folder / 'model.pth')
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(download, 4 * [f'{server.address}/model.pth']))
    assert len(server.requests) == len(paths) == 1
    assert files_in(cache) == {'model.pth'}


def test_every_process_ends_where_the_download_fails(server, cache):

    def error_of(_):
        with pytest.raises(UserError, match='404.*name the file instead') as error:
            download(f'{server.address}/none.pth')
        return str(error.value)

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(error_of, range(4)))) == 4
    assert not files_in(cache)


def test_the_same_name_at_two_addresses(server, folder):
    for name in 'ab':
        (folder / name).mkdir()
        (folder / name / 'model.pth').write_text(name)
    paths = [Path(download(f'{server.address}/{name}/model.pth')) for name in 'ab']
    assert [path.read_text() for path in paths] == ['a', 'b']


def test_the_hash_in_a_name_is_checked(server, folder, cache):
    torch.save(fill(resnet_layout(50, (3, 5, 5, 7))), folder / 'eca.pth')
    good = named_by_hash(folder / 'eca.pth').name
    download(f'{server.address}/{good}')
    (folder / 'other-0676ba61.pth').write_bytes((folder / good).read_bytes())
    with pytest.raises(UserError, match='other-0676ba61.pth cannot be downloaded'):
        download(f'{server.address}/other-0676ba61.pth')
    assert files_in(cache) == {good}  # where torch.hub has it, too
    os.truncate(cache / good, 1000)
    with pytest.raises(UserError, match='is cut off.*delete it') as error:
        CheckpointLoader.load_checkpoint(f'ecanet://{server.address}/{good}')
    assert str(error.value).startswith(str(cache / good))


@pytest.mark.parametrize(
    ('name', 'digits'),
    [
        ('resnet50-0676ba61.pth', '0676ba61'),
        ('shufflenetv2_x1-5666bf0f80.pth', '5666bf0f80'),
        ('se-resnet50_batch256_imagenet_20200804-ae206104.pth', 'ae206104'),
        ('my-model-20240131.pth', None),
        ('model.pth', None),
        ('a-0123.pth', None),
        ('eca_resnet50_k3557.pth.tar', None),
    ],
)
def test_which_names_carry_a_hash(name, digits):
    assert hash_in_name(name) == digits
