"""Sizes and states that stand in a checkpoint are compared with what it has."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdet_eca import UserError
from mmdet_eca.checkpoints.files import read_checkpoint
from tests.checkpoints.test_unpickling import FORMATS, Call


def saved(content, path, **options):
    torch.save(content, path, **options)
    return str(path)


def edited(path, edit, method=zipfile.ZIP_STORED):
    """Writes a checkpoint again, with other bytes of its entries."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in files.items():
            archive.writestr(name, edit(name, content))
    return path


def refused(path, reason='is cut off, or no checkpoint'):
    with pytest.raises(UserError, match=reason):
        read_checkpoint(path)


def test_a_storage_shorter_than_its_tensor(tmp_path):
    """torch 2.1 reads what lies behind it in memory."""
    path = saved(dict(a=torch.ones(4)), tmp_path / 'a.pth')

    def claim(name, content):
        count = struct.pack('<i', 10**6)
        return content.replace(b'K\x04t', b'J' + count + b't').replace(
            b'K\x04\x85', b'J' + count + b'\x85'
        )

    refused(edited(path, claim))


class Tensor:
    """Pickled as a tensor of any size, stride and offset in a storage of four."""

    def __init__(self, size, stride, offset=0):
        storage = torch.ones(4).storage()
        self.call = storage, offset, size, stride, False, {}

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.call


@pytest.mark.filterwarnings('ignore:TypedStorage is deprecated')
@pytest.mark.parametrize('written', FORMATS)
@pytest.mark.parametrize(
    'numbers',
    [
        ((5,), (1,)),
        ((4,), (1,), 1),
        ((2, 2), (3, 1)),
        ((4,), (-1,), 3),
        ((-1,), (1,)),
        ((2,), (2**61,)),
        ((2**40,), (0,)),
    ],
)
def test_a_tensor_beyond_its_storage(tmp_path, written, numbers):
    refused(saved(Tensor(*numbers), tmp_path / 'a.pth', **written))


@pytest.mark.filterwarnings('ignore:TypedStorage is deprecated')
@pytest.mark.parametrize('written', FORMATS)
def test_views_and_expanded_tensors_are_read(tmp_path, written):
    base = torch.arange(6.0)
    content = dict(base=base, view=base[2:].view(2, 2).t(), wide=base[:1].expand(3, 2))
    loaded = read_checkpoint(saved(content, tmp_path / 'a.pth', **written))
    for name, value in content.items():
        assert torch.equal(loaded[name], value)
        assert loaded[name].stride() == value.stride()
    loaded['base'][2] = 9
    assert loaded['view'][0, 0] == 9


def test_a_compressed_checkpoint_is_read(tmp_path):
    content = dict(a=torch.randn(3, 5), b=torch.arange(4).short())
    path = saved(content, tmp_path / 'a.pth')
    edited(path, lambda name, data: data, zipfile.ZIP_DEFLATED)
    loaded = read_checkpoint(path)
    assert all(torch.equal(loaded[name], value) for name, value in content.items())


def test_a_zip_bomb(tmp_path):
    path = saved(dict(a=torch.ones(4)), tmp_path / 'a.pth')
    size, claimed = (struct.pack('<I', number) for number in (2**21, 2**31))

    def expand(name, content):
        return bytes(2**21) if name.endswith('data/0') else content

    data = (tmp_path / edited(path, expand, zipfile.ZIP_DEFLATED)).read_bytes()
    assert data.count(size) == 2  # in the entry's header and in the directory
    (tmp_path / 'a.pth').write_bytes(data.replace(size, claimed))
    refused(path)


def test_a_damaged_number(tmp_path):
    path = saved(dict(a=torch.full((4,), 1.5)), tmp_path / 'a.pth')
    data = bytearray((tmp_path / 'a.pth').read_bytes())
    data[data.find(struct.pack('<f', 1.5))] ^= 1
    (tmp_path / 'a.pth').write_bytes(data)
    refused(path)


def test_a_dtype_that_takes_numbers_for_addresses(tmp_path):
    """numpy 1.26 ends with a segmentation fault on some of these states."""

    class Dtype:
        def __init__(self, state):
            self.state = state

        def __reduce__(self):
            return np.dtype, ('f8', False, True), self.state

    plain = (3, '<', None, None, None, -1, -1, 0)
    for state in (
        (*plain[:7], 1),
        (3, '<', (np.dtype('f4'), (2,)), *plain[3:]),
        (3, '<', None, ('a',), {'a': (np.dtype('f4'), 0)}, *plain[5:]),
        (*plain[:5], 8, 8, 0),
    ):
        refused(saved(Dtype(state), tmp_path / 'a.pth'))
    read_checkpoint(saved(Dtype(plain), tmp_path / 'a.pth'))


def test_a_file_changes_no_other_history(tmp_path):
    buffer = HistoryBuffer([1.0], [1])  # the first one sets those of all
    before = dict(HistoryBuffer._statistics_methods)
    buffer._statistics_methods = dict(before, mean=HistoryBuffer.max)
    refused(saved(buffer, tmp_path / 'a.pth'))
    assert HistoryBuffer._statistics_methods == before


@pytest.mark.parametrize(
    'content',
    [Call(bytearray, 2**40), Call(torch.Tensor, 2**40), {((),) * 2: 1}],
    ids=['bytearray', 'tensor', 'key of tuples'],
)
def test_what_asks_for_memory_or_time(tmp_path, content):
    refused(saved(content, tmp_path / 'a.pth'), 'a.pth is')


def test_a_header_longer_than_its_file(tmp_path):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(struct.pack('<Q', 2**40) + b'{}')
    refused(str(path))


def test_a_tar_archive_is_not_extracted(tmp_path, monkeypatch):
    import tarfile

    monkeypatch.setattr('tempfile.mkdtemp', lambda: pytest.fail('extracts'))
    with tarfile.open(tmp_path / 'a.pth', 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            entry = tarfile.TarInfo(name)
            data = pickle.dumps(0, 2)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    refused(str(tmp_path / 'a.pth'))
