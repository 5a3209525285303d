"""Reading a checkpoint without running code in it, writing one whole."""
import os
import os.path as osp
import re
from typing import Any, Dict, Tuple

import torch
from torch import Tensor

from ..errors import UserError

StateDict = Dict[str, Tensor]


def read_checkpoint(path: str) -> Tuple[StateDict, dict]:
    """Reads the weights in a file, on the CPU.

    Args:
        path (str): A file that torch has written, with nothing in it but
            tensors and plain values (``weights_only=True``).

    Returns:
        tuple: The parameters by their names, without DataParallel's
        'module.', and ``meta``, which mmcv and mmengine store beside them.

    Raises:
        UserError: If there is no such file, it is cut off or no checkpoint, or
            code would have to be run to read it.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise UserError(f'checkpoint {path} does not exist: check its path')
    if path.endswith('.safetensors'):
        raise UserError(f'{path} is a safetensors file, which torch does not '
                        'read: take pytorch_model.bin from the same page')
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # whatever the bytes of a broken file lead to
        raise UserError(_refusal(path, error)) from None
    return _unwrap(path, checkpoint)


def _refusal(path: str, error: Exception) -> str:
    found = re.search(r"(?:GLOBAL|asks for) ([\w.<>' ]+)", str(error))
    if found:
        name = re.split(' was not| whose', found[1])[0]
        return (f'{path} is refused: to read it, {name} would have to be run, '
                'and files from outside are read with weights_only=True; ask '
                'its author for the state_dict alone')
    return f'{path} is cut off, or no checkpoint that torch has written'


def _unwrap(path: str, checkpoint: Any) -> Tuple[StateDict, dict]:
    meta, weights = {}, checkpoint
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        weights, meta = checkpoint['state_dict'], checkpoint.get('meta')
    if not isinstance(weights, dict) or not weights or not all(
            isinstance(name, str) and isinstance(value, Tensor)
            for name, value in weights.items()):
        raise UserError(f'{path} has no state_dict: tensors by their names')
    prefix = 'module.'
    if all(name.startswith(prefix) for name in weights):
        weights = {
            name[len(prefix):]: value for name, value in weights.items()
        }
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
