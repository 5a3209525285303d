"""Files and folders that a command is to write: asked for before its work."""

import os
import os.path as osp
import tempfile

from ..errors import UserError


def check_new_folder(path: str) -> None:
    """Checks that a folder does not exist or is empty, and can be written to.

    Raises:
        UserError: If it has something in it, or nothing can be written there.
    """
    if osp.lexists(path) and not (osp.isdir(path) and not os.listdir(path)):
        raise UserError(f'{path} exists: give another folder, or remove it')
    _check_writable(path)


def check_new_file(path: str) -> None:
    """Checks that a file does not exist, and can be written.

    Raises:
        UserError: If it exists, its folder does not, or nothing can be written there.
    """
    if osp.lexists(path):
        raise UserError(f'{path} exists: give another name, or remove it')
    folder = osp.dirname(path) or '.'
    if not osp.isdir(folder):
        raise UserError(f'folder {folder} of {path} does not exist: make it first')
    _check_writable(path)


def _check_writable(path: str) -> None:
    """Writes a nameless file into the nearest folder that exists."""
    folder = osp.abspath(path)
    while not osp.exists(folder):
        folder = osp.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error}') from None
