"""Reading a checkpoint without running code in it, writing one whole."""

import os
import os.path as osp
import re
from typing import Any, BinaryIO, Dict, Tuple

import torch
from torch import Tensor

from ..errors import UserError
from .unpickling import MapLocation, load

StateDict = Dict[str, Tensor]


def read_checkpoint(path: str, map_location: MapLocation = None) -> Any:
    """Reads all that is in a file; every file from outside is read here.

    Args:
        path (str): A file that torch has written, with nothing in it but
            tensors, plain values and what mmengine adds to them, or
            one that ends in '.safetensors'.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Raises:
        UserError: If there is no such file, it is cut off or no checkpoint, or
            code would have to be run to read it.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise UserError(f'checkpoint {path} does not exist: check its path')
    with open(path, 'rb') as file:
        return read_stream(file, path, map_location)


def read_stream(file: BinaryIO, name: str, map_location: MapLocation = None) -> Any:
    """Reads an open file as :func:`read_checkpoint` does.

    Args:
        file (BinaryIO): Its content.
        name (str): Where it is from.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Raises:
        UserError: If it is cut off or no checkpoint, or code would have to be
            run to read it.
    """
    try:
        if name.endswith('.safetensors'):
            return _read_safetensors(file, map_location)
        return load(file, map_location or 'cpu')
    except (UserError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:  # whatever the bytes of a broken file lead to
        if 'CUDA' in str(error):  # the device's fault, not the file's
            raise
        raise UserError(_refusal(name, error)) from None


def read_weights(path: str) -> Tuple[StateDict, dict]:
    """Reads the weights in a file, on the CPU.

    Returns:
        tuple: The parameters by their names, without DataParallel's
        'module.', and ``meta``, which mmcv and mmengine store beside them.

    Raises:
        UserError: As :func:`read_checkpoint`, or if there are no weights.
    """
    return _unwrap(path, read_checkpoint(path))


def to_device(weights: StateDict, map_location: MapLocation) -> StateDict:
    """The weights where they are wanted; the CPU if no device is named."""
    named = isinstance(map_location, (str, torch.device))
    device = map_location if named else 'cpu'
    return {name: value.to(device) for name, value in weights.items()}


def require_safetensors() -> Any:
    """The package safetensors.

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
    weights = require_safetensors().load(file.read())
    return to_device(weights, map_location)


def _refusal(path: str, error: Exception) -> str:
    message = str(error)
    found = re.search(r'GLOBAL (?:builtins\.)?([\w.<>]+)', message)
    if found or 'TorchScript' in message:
        name = found[1] if found else 'a TorchScript program'
        return (
            f'{path} is refused: to read it, {name} would have to be run, '
            'which no file may ask for; ask its author for the state_dict '
            'alone'
        )
    return (
        f'{path} is cut off, or no checkpoint that torch has '
        'written: if you have downloaded it, delete it and fetch it again'
    )


def _unwrap(path: str, checkpoint: Any) -> Tuple[StateDict, dict]:
    meta, weights = {}, checkpoint
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
    """Writes the file whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    path = osp.expanduser(path)
    unfinished = f'{path}.{os.getpid()}.tmp'
    try:
        with open(unfinished, 'wb') as file:
            torch.save(checkpoint, file)
        os.replace(unfinished, path)
    except (OSError, RuntimeError) as error:
        raise UserError(f'{path} cannot be written: {error}') from None
    finally:
        if osp.exists(unfinished):
            os.remove(unfinished)
