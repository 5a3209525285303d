"""Downloads, from a server of this process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmdet_eca import UserError
from mmdet_eca.checkpoints.downloads import download, hash_in_name
from tests.checkpoints.layouts import fill, resnet_layout
from tests.checkpoints.server import named_by_hash


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


@pytest.mark.parametrize('address', ['file:///{0}/model.pth', '{1}/../../model.pth'])
def test_an_address_leads_neither_into_nor_out_of_the_folder(
    server, folder, cache, address
):
    torch.save(fill(resnet_layout()), folder / 'model.pth')
    with pytest.raises(UserError, match='begins with http:// or https:// and has no'):
        download(address.format(folder, server.address))
    assert not server.requests and not files_in(cache)


def test_every_process_ends_where_the_download_fails(server, cache):

    def error_of(_):
        with pytest.raises(UserError, match='404.*name the file instead') as error:
            download(f'{server.address}/none.pth')
        return str(error.value)

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(error_of, range(4)))) == 4
    assert not files_in(cache)


def test_the_same_name_at_two_addresses(server, folder):
    for seed, name in enumerate('ab'):
        (folder / name).mkdir()
        torch.save(dict(w=torch.tensor(seed)), folder / name / 'model.pth')
    found = [
        CheckpointLoader.load_checkpoint(f'{server.address}/{name}/model.pth')['w']
        for name in 'ab'
    ]
    assert found == [0, 1]


def test_the_hash_in_a_name_is_checked(server, folder, cache):
    torch.save(fill(resnet_layout()), folder / 'resnet50.pth')
    good = named_by_hash(folder / 'resnet50.pth').name
    load_whole = CheckpointLoader.load_checkpoint
    assert len(load_whole(f'{server.address}/{good}')) == len(resnet_layout())
    (folder / 'other-0676ba61.pth').write_bytes((folder / good).read_bytes())
    with pytest.raises(UserError, match='SHA-256 does not begin with 0676ba61'):
        load_whole(f'{server.address}/other-0676ba61.pth')
    assert files_in(cache) == {good}  # where torch.hub has it, too
    os.truncate(cache / good, 1000)
    with pytest.raises(UserError, match='is cut off or damaged.*delete it') as error:
        load_whole(f'{server.address}/{good}')
    assert str(error.value).startswith(str(cache / good))
    os.remove(cache / good)
    assert load_whole(f'{server.address}/{good}')


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


def test_a_download_that_is_cut_off(server, folder, cache):
    torch.save(fill(resnet_layout()), folder / 'model.pth')
    server.cut_off.add('/model.pth')
    size = (folder / 'model.pth').stat().st_size
    with pytest.raises(UserError, match=f'cut off after 100 of {size} bytes'):
        download(f'{server.address}/model.pth')
    assert not files_in(cache)
    server.cut_off.clear()
    assert os.path.getsize(download(f'{server.address}/model.pth')) == size


def test_a_cut_off_file_is_to_be_deleted(server, folder):
    torch.save(fill(resnet_layout()), folder / 'model.pth')
    os.truncate(download(f'{server.address}/model.pth'), 1000)
    with pytest.raises(UserError, match='model.pth is cut off.* delete it and'):
        CheckpointLoader.load_checkpoint(f'{server.address}/model.pth')


def test_a_part_that_a_killed_process_left_is_written_over(server, folder, cache):
    torch.save(fill(resnet_layout()), folder / 'model.pth')
    path = download(f'{server.address}/model.pth')
    os.rename(path, f'{path}.part')
    os.truncate(f'{path}.part', 1000)
    assert download(f'{server.address}/model.pth') == path
    assert (folder / 'model.pth').read_bytes() == Path(path).read_bytes()
    assert files_in(cache) == {'model.pth'}
