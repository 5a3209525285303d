"""Lists the images in a folder of class folders, and keeps the list in a file."""

import contextlib
import hashlib
import os
import os.path as osp
import tempfile
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from ..config_paths import tool_path
from ..errors import UserError, first_few
from ..weights.files import whole_file

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.webp', '.tif', '.tiff')
INDEX_FILE = '.mmdet_eca_index.npz'


class ImageIndex(NamedTuple):
    """The N images in K class folders.

    They are arrays since a data loader's workers share the memory of arrays, but
    not of lists of strings.

    Attributes:
        classes (np.ndarray): Sorted names of the class folders, shape (K,).
        modified (np.ndarray): When each folder last changed, in ns, shape (K,).
        labels (np.ndarray): For each image the index of its folder, shape (N,).
        names (np.ndarray): For each image its encoded file name, shape (N,).
    """

    classes: np.ndarray
    modified: np.ndarray
    labels: np.ndarray
    names: np.ndarray


def read_index(root: str) -> ImageIndex:
    """Lists the images ``root/<class>/<image>``, sorted.

    Reads the list from ``root/.mmdet_eca_index.npz``, or from
    ``~/.cache/mmdet_eca`` if ``root`` cannot be written. If a class folder has
    changed since, one process of the machine makes the list again, and the others
    wait for it. torchvision's ImageFolder and mmengine's ``list_dir_or_file`` list
    all folders in every process, which takes minutes for ImageNet on a network
    file system.

    Raises:
        UserError: If there is no such folder, it has no class folders, or a class
            folder has no images.
    """
    if not osp.isdir(root):
        raise UserError(
            f'{root} is no folder: put the images there, one folder '
            f'a class (digits: python {tool_path("make_digits.py")}), '
            "or set the data set's root"
        )
    with os.scandir(root) as entries:
        folders = sorted(
            (entry.name, entry.stat().st_mtime_ns)
            for entry in entries
            if entry.is_dir() and not entry.name.startswith('.')
        )
    if not folders:
        raise UserError(
            f'{root} has no class folders: images belong into {root}/<class>/'
        )
    index = _load(root, folders)
    if index is None:
        # A lock and no barrier: there may be no process group yet, and a process
        # that fails or dies releases a lock.
        with FileLock(_lock_file(root)):
            index = _load(root, folders)
            if index is None:
                index = _scan(root, folders)
                _save(root, index)
    return index


def _index_files(root: str) -> tuple[str, str]:
    """Returns the files that may hold the index, the preferred one first."""
    cache = os.environ.get('XDG_CACHE_HOME') or osp.expanduser('~/.cache')
    return (
        osp.join(root, INDEX_FILE),
        osp.join(cache, 'mmdet_eca', f'index-{_identifier(root)}.npz'),
    )


def _lock_file(root: str) -> str:
    """Returns a file that is not beside the images.

    Their file system may not have locks.
    """
    user = os.getuid() if hasattr(os, 'getuid') else ''  # not on Windows
    return osp.join(tempfile.gettempdir(), f'mmdet_eca-{user}-{_identifier(root)}.lock')


def _identifier(root: str) -> str:
    return hashlib.sha256(os.fsencode(osp.realpath(root))).hexdigest()[:16]


def _scan(root: str, folders: list[tuple[str, int]]) -> ImageIndex:
    labels, names, empty = [], [], []
    for label, (folder, _) in enumerate(folders):
        images = sorted(
            os.fsencode(name)
            for name in os.listdir(osp.join(root, folder))
            if name.lower().endswith(EXTENSIONS)
        )
        names.extend(images)
        labels.append(np.full(len(images), label, np.int64))
        if not images:
            empty.append(folder)
    if empty:
        raise UserError(
            f'{root} has {len(empty)} class folders without images '
            f'({first_few(empty)}); '
            f'remove them, or fill them with {" ".join(EXTENSIONS)} files'
        )
    classes, modified = zip(*folders)
    return ImageIndex(
        np.array(classes), np.array(modified), np.concatenate(labels), np.array(names)
    )


def _load(root: str, folders: list[tuple[str, int]]) -> ImageIndex | None:
    for path in _index_files(root):
        index = None
        # numpy and zipfile have many exceptions for a broken file.
        with contextlib.suppress(Exception), np.load(path) as file:
            index = ImageIndex(*(file[name] for name in ImageIndex._fields))
        if index and _is_sound(index) and _folders(index) == folders:
            return index
    return None


def _is_sound(index: ImageIndex) -> bool:
    """Whether an index is what :func:`_scan` makes; the file may be anybody's."""
    return (
        all(isinstance(array, np.ndarray) for array in index)
        and [array.dtype.kind for array in index] == ['U', 'i', 'i', 'S']
        and all(array.ndim == 1 and len(array) for array in index)
        and len(index.labels) == len(index.names)
        and len(index.classes) == len(index.modified)
        and index.labels.min() >= 0
        and index.labels.max() < len(index.classes)
        and b'/' not in index.names.tobytes()
    )


def _folders(index: ImageIndex) -> list[tuple[str, int]]:
    return list(zip(index.classes.tolist(), index.modified.tolist()))


def _save(root: str, index: ImageIndex) -> None:
    """Writes the index to the first place that can be written, else nowhere."""
    for path in _index_files(root):
        try:
            os.makedirs(osp.dirname(path), exist_ok=True)
            with whole_file(path) as unfinished, open(unfinished, 'wb') as file:
                np.savez(file, **index._asdict())
            return
        except OSError:
            continue
