"""The list of a folder's images: where it is kept, and who makes it."""

import multiprocessing
import os
import signal
import time
import zipfile

import numpy as np
import pytest

from mmdet_eca import UserError
from mmdet_eca.pretraining import ImageFolder, image_index

VAL = [dict(type='LoadCenterCrop', size=28, shorter_side=32), dict(type='PackImage')]


def test_index_is_kept_and_made_again_after_a_change(root, monkeypatch):
    names = ImageFolder(str(root), VAL).names
    with monkeypatch.context() as patch:
        patch.setattr(image_index, '_scan', None)  # would fail
        np.testing.assert_array_equal(ImageFolder(str(root), VAL).names, names)
    (root / 'c' / '0.jpg').rename(root / 'c' / '9.JPEG')
    assert ImageFolder(str(root), VAL).path(11) == f'{root}/c/9.JPEG'
    (root / 'c').rename(root / 'd')
    assert ImageFolder(str(root), VAL).classes == ('a', 'b', 'd')
    (root / '.mmdet_eca_index.npz').write_bytes(b'PK half a file')
    assert len(ImageFolder(str(root), VAL)) == 12
    assert [p for p in os.listdir(root) if p.startswith('.')] == [
        '.mmdet_eca_index.npz'
    ]


def test_an_index_that_holds_no_arrays_is_made_again(root):
    ImageFolder(str(root), VAL)
    with zipfile.ZipFile(root / '.mmdet_eca_index.npz', 'w') as file:
        for name in image_index.ImageIndex._fields:
            file.writestr(f'{name}.npy', b'no array')
    assert len(ImageFolder(str(root), VAL)) == 12


def test_index_of_a_read_only_folder_is_kept_in_the_cache(root, tmp_path, monkeypatch):
    replace = os.replace

    def replace_outside_of_root(source, destination):
        if destination.startswith(str(root)):
            raise PermissionError
        replace(source, destination)

    monkeypatch.setattr(os, 'replace', replace_outside_of_root)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    names = ImageFolder(str(root), VAL).names
    assert sorted(os.listdir(root)) == ['a', 'b', 'c']
    with monkeypatch.context() as patch:
        patch.setattr(image_index, '_scan', None)  # would fail
        np.testing.assert_array_equal(ImageFolder(str(root), VAL).names, names)
    (root / 'c' / '0.jpg').rename(root / 'c' / '9.jpg')
    assert ImageFolder(str(root), VAL).path(11) == f'{root}/c/9.jpg'


def test_index_that_can_be_kept_nowhere_is_made_each_time(root, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(np, 'savez', denied)
    for _ in range(2):
        assert len(ImageFolder(str(root), VAL)) == 12
    assert sorted(os.listdir(root)) == ['a', 'b', 'c']


def in_processes(count, function, *args):
    """Calls a function in processes of their own at once; returns them and the
    queue that it may put things into."""
    fork = multiprocessing.get_context('fork')
    queue = fork.SimpleQueue()
    processes = [
        fork.Process(target=function, args=(queue, *args), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    return processes, queue


def put_index(queue, root):
    try:
        queue.put(len(image_index.read_index(root).names))
    except UserError as error:
        queue.put(str(error))


@pytest.fixture
def slow_scan(monkeypatch, tmp_path):
    """Makes a scan slow; returns the file that it adds its process to."""
    scan, log = image_index._scan, tmp_path / 'scans'

    def slow(*args):
        with open(log, 'a') as file:
            file.write(f'{os.getpid()}\n')
        time.sleep(0.5)
        return scan(*args)

    monkeypatch.setattr(image_index, '_scan', slow)
    return log


def test_one_of_several_processes_scans(root, slow_scan):
    """Without a process group, which there is not before the runner is built."""
    processes, queue = in_processes(4, put_index, str(root))
    assert [queue.get() for _ in processes] == [12] * 4
    assert len(slow_scan.read_text().split()) == 1


def test_every_process_fails_with_the_scan(root, slow_scan):
    (root / 'd').mkdir()
    processes, queue = in_processes(3, put_index, str(root))
    for _ in processes:
        assert 'has 1 class folders without images (d)' in queue.get()


def test_a_process_killed_while_it_scans_keeps_nobody_waiting(root, slow_scan):
    (killed,), _ = in_processes(1, put_index, str(root))
    while not slow_scan.exists():
        time.sleep(0.01)
    _, queue = in_processes(1, put_index, str(root))
    os.kill(killed.pid, signal.SIGKILL)
    assert queue.get() == 12
