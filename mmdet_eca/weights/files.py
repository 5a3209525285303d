"""Reads checkpoints as data, by torch and safetensors, and writes files whole."""

import contextlib
import hashlib
import os
import os.path as osp
import re
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ..dependencies import require
from ..errors import UserError

MapLocation = None | str | torch.device | dict | Callable
StateDict = dict[str, Tensor]


def read_checkpoint(path: str, map_location: MapLocation = None) -> Any:
    """Reads a checkpoint with ``torch.load(weights_only=True)`` or safetensors.

    Args:
        path (str): A file that ``torch.save`` has written, or a '.safetensors' file.
        map_location (optional): See ``torch.load``; the CPU by default.

    Returns:
        All that is in the file.

    Raises:
        UserError: If there is no such file, it is cut off or no checkpoint, claims to
            be much larger than it is, or cannot be read without running code in it.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise UserError(f'checkpoint {path} does not exist: check its path')
    try:
        if path.endswith('.safetensors'):
            load_file = require('safetensors.torch', 'timm').load_file
            return to_device(load_file(path), map_location)
        _check_sizes(path)
        return torch.load(path, map_location or 'cpu', weights_only=True)
    except (UserError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:  # a broken file may lead to any
        if 'CUDA' in str(error):  # the device's fault, not the file's
            raise
        raise UserError(_explain(path, error)) from None


@contextlib.contextmanager
def explained_refusals() -> Iterator[None]:
    """Makes torch's refusal of a file that mmengine loads a UserError.

    mmengine logs the file's name before.
    """
    try:
        yield
    except (UnpicklingError, RuntimeError) as error:
        if re.search('Weights only load failed|PytorchStreamReader', str(error)):
            raise UserError(_explain('a checkpoint', error)) from None
        raise


def read_weights(path: str) -> tuple[StateDict, dict]:
    """Reads the weights in a checkpoint file, onto the CPU.

    Returns:
        tuple[dict[str, Tensor], dict]: The parameters by name, without
        DataParallel's prefix 'module.', and ``meta``, which mmcv and mmengine
        store beside them.

    Raises:
        UserError: As :func:`read_checkpoint`, or if there are no weights.
    """
    weights, meta = read_checkpoint(path), None
    if isinstance(weights, dict) and 'state_dict' in weights:
        weights, meta = weights['state_dict'], weights.get('meta')
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(
            isinstance(name, str) and isinstance(value, Tensor)
            for name, value in weights.items()
        )
    ):
        raise UserError(f'{path} has no state_dict: tensors by their names')
    return without_module(weights), meta if isinstance(meta, dict) else {}


def without_module(weights: StateDict) -> StateDict:
    """Returns the weights without the prefix 'module.' of a parallel network's."""
    return {name.removeprefix('module.'): value for name, value in weights.items()}


def to_device(weights: StateDict, map_location: MapLocation) -> StateDict:
    """Returns the weights on a device.

    Args:
        weights (dict[str, Tensor]): The weights.
        map_location (optional): See ``torch.load``; the CPU if it is no device.
    """
    device = map_location if isinstance(map_location, (str, torch.device)) else 'cpu'
    return {name: value.to(device) for name, value in weights.items()}


def _check_sizes(path: str) -> None:
    """Checks what a zip archive claims to hold, for which torch takes memory.

    Raises:
        UserError: If it is more than 20 times the file and a GiB.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
        if claimed > 2**30 + 20 * osp.getsize(path):
            raise UserError(
                f'{path} is refused: its {osp.getsize(path)} bytes would become '
                f'{claimed}; ask its author for a file that is not compressed'
            )


def _explain(path: str, error: Exception) -> str:
    """Returns the message for a file that was not read."""
    unsafe = re.search(r'GLOBAL (?:builtins\.)?([\w.<>]+)', str(error))
    if unsafe or 'TorchScript' in str(error):
        name = unsafe[1] if unsafe else 'a TorchScript program'
        return (
            f'{path} is refused: to read it, {name} would have to be run, '
            'which no file may ask for; ask its author for the state_dict '
            'alone'
        )
    return (
        f'{path} is cut off, or no checkpoint that torch has '
        'written: if you have downloaded it, delete it and fetch it again'
    )


def write_checkpoint(checkpoint: dict, path: str) -> None:
    """Writes a checkpoint file with ``torch.save``, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    path = osp.expanduser(path)
    try:
        with whole_file(path) as unfinished, open(unfinished, 'wb') as file:
            torch.save(checkpoint, file)
    except (OSError, RuntimeError) as error:
        raise UserError(f'{path} cannot be written: {error}') from None


@contextlib.contextmanager
def whole_file(path: str, unfinished: str | None = None) -> Iterator[str]:
    """Lets a file appear whole or not at all, and replace an older one at once.

    ``torch.save``, mmengine's ``dump`` and its ``save_checkpoint`` write into the
    file itself: whoever reads it meanwhile, or after an interruption, gets a part.
    It is on the disk when the block has ended, so that a power cut does not undo it.

    Args:
        path (str): The file.
        unfinished (str, optional): Its name until it is whole, by default one that
            no other process uses.

    Yields:
        str: The name to write to. If the block raises, that file is removed.
    """
    unfinished = unfinished or f'{path}.{uuid.uuid4().hex}.tmp'
    try:
        yield unfinished
        _sync(unfinished)
        os.replace(unfinished, path)
        if os.name == 'posix':  # where a folder can be opened
            _sync(osp.dirname(osp.abspath(path)))
    finally:
        with contextlib.suppress(OSError):
            os.remove(unfinished)


def _sync(path: str) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sha256(path: str) -> str:
    """Returns the SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            digest.update(block)
    return digest.hexdigest()
