"""Reads checkpoints without running code in them, and writes files whole."""

import contextlib
import hashlib
import json
import os
import os.path as osp
import re
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..errors import UserError
from .formats import MapLocation, load

StateDict = dict[str, Tensor]


def read_checkpoint(path: str, map_location: MapLocation = None) -> Any:
    """Reads a checkpoint file. Every checkpoint from outside is read here.

    Args:
        path (str): A file that ``torch.save`` has written, of tensors, plain
            values and what mmengine adds to them; or a '.safetensors' file.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Returns:
        All that is in the file.

    Raises:
        UserError: If there is no such file, it is cut off or no checkpoint, or
            it cannot be read without running code in it.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise UserError(f'checkpoint {path} does not exist: check its path')
    with open(path, 'rb') as file:
        return read_stream(file, path, map_location)


def read_stream(file: BinaryIO, name: str, map_location: MapLocation = None) -> Any:
    """Reads an open file as :func:`read_checkpoint` does.

    Args:
        file (BinaryIO): The open file.
        name (str): Its path or address, for messages; '.safetensors' at its end
            tells the format.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Returns:
        All that is in the file.

    Raises:
        UserError: If it is cut off or no checkpoint, or it cannot be read without
            running code in it.
    """
    try:
        if name.endswith('.safetensors'):
            return _read_safetensors(file, map_location)
        return load(file, map_location or 'cpu')
    except (UserError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:  # a broken file may lead to any
        if 'CUDA' in str(error):  # the device's fault, not the file's
            raise
        raise UserError(_explain(name, error)) from None


def read_weights(path: str) -> tuple[StateDict, dict]:
    """Reads the weights in a checkpoint file, onto the CPU.

    Returns:
        tuple[dict[str, Tensor], dict]: The parameters by name, without
        DataParallel's prefix 'module.', and ``meta``, which mmcv and mmengine
        store beside them.

    Raises:
        UserError: As :func:`read_checkpoint`, or if there are no weights.
    """
    return _unwrap(path, read_checkpoint(path))


def to_device(weights: StateDict, map_location: MapLocation) -> StateDict:
    """Returns the weights on a device.

    Args:
        weights (dict[str, Tensor]): The weights.
        map_location (optional): As in ``torch.load``; what is no device means the CPU.
    """
    device = map_location if isinstance(map_location, (str, torch.device)) else 'cpu'
    return {name: value.to(device) for name, value in weights.items()}


def require_safetensors() -> Any:
    """Returns the module ``safetensors.torch``.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import safetensors.torch
    except ImportError:
        raise UserError(
            '.safetensors files need a package that is not '
            'installed: pip install safetensors'
        ) from None
    return safetensors.torch


def _read_safetensors(file: BinaryIO, map_location: MapLocation) -> StateDict:
    """Reads a file of safetensors, whose header must fit before the rest is read."""
    library = require_safetensors()
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    length = int.from_bytes(file.read(8), 'little')
    if not 0 < length <= size - 8:
        raise ValueError(f'a header of {length} bytes')
    header = json.loads(file.read(length))
    ends = (
        entry['data_offsets'][1]
        for name, entry in header.items()
        if name != '__metadata__'
    )
    if max(ends, default=0) != size - 8 - length:
        raise ValueError('numbers that are not all of the file')
    file.seek(start)
    return to_device(library.load(file.read()), map_location)


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


def _unwrap(path: str, checkpoint: Any) -> tuple[StateDict, dict]:
    weights, meta = checkpoint, None
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        weights, meta = checkpoint['state_dict'], checkpoint.get('meta')
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(
            isinstance(name, str) and isinstance(value, Tensor)
            for name, value in weights.items()
        )
    ):
        raise UserError(f'{path} has no state_dict: tensors by their names')
    prefix = 'module.'
    if all(name.startswith(prefix) for name in weights):
        weights = {name[len(prefix) :]: value for name, value in weights.items()}
    return dict(weights), meta if isinstance(meta, dict) else {}


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
