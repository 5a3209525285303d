"""The list of the images in a folder of class folders, kept in a file."""

import contextlib
import hashlib
import os
import os.path as osp
import tempfile
import uuid
import zipfile
from typing import List, NamedTuple, Optional, Tuple

import numpy as np
from filelock import FileLock

from ..engine import tool_path
from ..errors import UserError, first_few

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.webp', '.tif', '.tiff')
INDEX_FILE = '.mmdet_eca_index.npz'


class ImageIndex(NamedTuple):
    """Images of a folder as arrays, which worker processes share unlike lists.

    ``classes`` (K,) are the class folders by name, ``modified`` (K,) when each
    changed last, in ns; ``labels`` (N,) and ``names`` (N,), encoded, say which
    folder an image is in and what its file is called.
    """

    classes: np.ndarray
    modified: np.ndarray
    labels: np.ndarray
    names: np.ndarray


def read_index(root: str) -> ImageIndex:
    """Lists the images ``root/<class>/<image>``, sorted.

    The list is kept in ``root/.mmdet_eca_index.npz`` or, if that cannot be
    written, in ``~/.cache/mmdet_eca``, and is made again when a class folder has
    changed. Of several processes on a machine one makes it, the others wait.

    Raises:
        UserError: If there is no such folder, no class folder in it, or a class
            folder without an image.
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
        # No barrier: there may be no process group yet, and a process that fails
        # or dies lets go of the lock.
        with FileLock(_lock_file(root)):
            index = _load(root, folders)
            if index is None:
                index = _scan(root, folders)
                _save(root, index)
    return index


def _index_files(root: str) -> Tuple[str, str]:
    """Where the index may be kept, the better place first."""
    cache = os.environ.get('XDG_CACHE_HOME') or osp.expanduser('~/.cache')
    return (
        osp.join(root, INDEX_FILE),
        osp.join(cache, 'mmdet_eca', f'index-{_identifier(root)}.npz'),
    )


def _lock_file(root: str) -> str:
    """Not beside the images: they may be on a file system without locks."""
    user = os.getuid() if hasattr(os, 'getuid') else ''  # not on Windows
    return osp.join(tempfile.gettempdir(), f'mmdet_eca-{user}-{_identifier(root)}.lock')


def _identifier(root: str) -> str:
    return hashlib.sha256(os.fsencode(osp.realpath(root))).hexdigest()[:16]


def _scan(root: str, folders: List[Tuple[str, int]]) -> ImageIndex:
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


def _load(root: str, folders: List[Tuple[str, int]]) -> Optional[ImageIndex]:
    for path in _index_files(root):
        try:
            with np.load(path) as file:
                index = ImageIndex(*(file[name] for name in ImageIndex._fields))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
        if list(zip(index.classes.tolist(), index.modified.tolist())) == folders:
            return index
    return None


def _save(root: str, index: ImageIndex) -> None:
    """Writes the index whole into the first place that takes it, or nowhere."""
    for path in _index_files(root):
        scratch = f'{path}.{uuid.uuid4().hex}'
        try:
            os.makedirs(osp.dirname(path), exist_ok=True)
            with open(scratch, 'wb') as file:
                np.savez(file, **index._asdict())
            os.replace(scratch, path)
            return
        except OSError:
            with contextlib.suppress(OSError):
                os.remove(scratch)
