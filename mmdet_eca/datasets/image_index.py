"""The list of the images in a folder of class folders, kept in a file."""
import contextlib
import os
import os.path as osp
import uuid
import zipfile
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import UserError

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

    The list is kept in ``root/.mmdet_eca_index.npz``, if that can be written,
    and is made again when a class folder has changed.

    Raises:
        UserError: If there is no such folder, no class folder in it, or a class
            folder without an image.
    """
    if not osp.isdir(root):
        raise UserError(f'{root} is no folder: put the images there, one folder '
                        'a class (digits: python tools/make_digits.py), or set '
                        'the data set\'s root')
    with os.scandir(root) as entries:
        folders = sorted(
            (entry.name, entry.stat().st_mtime_ns) for entry in entries
            if entry.is_dir() and not entry.name.startswith('.'))
    if not folders:
        raise UserError(f'{root} has no class folders: images belong into '
                        f'{root}/<class>/')
    index = _load(root, folders)
    if index is None:
        index = _scan(root, folders)
        _save(root, index)
    return index


def _scan(root: str, folders: List[Tuple[str, int]]) -> ImageIndex:
    labels, names, empty = [], [], []
    for label, (folder, _) in enumerate(folders):
        images = sorted(
            os.fsencode(name) for name in os.listdir(osp.join(root, folder))
            if name.lower().endswith(EXTENSIONS))
        names.extend(images)
        labels.append(np.full(len(images), label, np.int64))
        if not images:
            empty.append(folder)
    if empty:
        raise UserError(
            f'{root} has {len(empty)} class folders without images '
            f'({", ".join(empty[:5])}{", ..." if len(empty) > 5 else ""}); '
            f'remove them, or fill them with {" ".join(EXTENSIONS)} files')
    classes, modified = zip(*folders)
    return ImageIndex(
        np.array(classes), np.array(modified), np.concatenate(labels),
        np.array(names))


def _load(root: str, folders: List[Tuple[str, int]]) -> Optional[ImageIndex]:
    try:
        with np.load(osp.join(root, INDEX_FILE)) as file:
            index = ImageIndex(*(file[name] for name in ImageIndex._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    kept = list(zip(index.classes.tolist(), index.modified.tolist()))
    return index if kept == folders else None


def _save(root: str, index: ImageIndex) -> None:
    """Writes the index whole or, into a folder that is read only, not at all."""
    path = osp.join(root, INDEX_FILE)
    scratch = f'{path}.{uuid.uuid4().hex}'
    try:
        with open(scratch, 'wb') as file:
            np.savez(file, **index._asdict())
        os.replace(scratch, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(scratch)
