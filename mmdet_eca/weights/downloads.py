"""Downloads files, each once for all processes of a machine."""

import hashlib
import os
import os.path as osp
import re
from http.client import HTTPException
from urllib.parse import urlparse

import torch
from filelock import FileLock

from ..dependencies import require
from ..errors import UserError

_HUB_FILE = 'model.safetensors'


def download(url: str) -> str:
    """Downloads a file with ``torch.hub``, unless it is in its folder already.

    Args:
        url (str): Begins with 'http://' or 'https://'.

    Returns:
        str: The path of the file. If its name ends in the first digits of its
        SHA-256, as resnet50-0676ba61.pth, it is where torch.hub keeps it;
        otherwise in a folder of its address, since others may have the same name.

    Raises:
        UserError: If it cannot be downloaded, or its SHA-256 is not that in its name.
    """
    name = osp.basename(urlparse(url).path)
    digits = hash_in_name(name)
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    if digits is None:
        folder = osp.join(folder, hashlib.sha256(url.encode()).hexdigest()[:16])
    os.makedirs(folder, exist_ok=True)
    path = osp.join(folder, name)
    with FileLock(f'{path}.lock'):  # other processes wait here
        if not osp.exists(path):
            try:
                torch.hub.download_url_to_file(url, path, digits)
            except (OSError, HTTPException, RuntimeError, ValueError) as error:
                raise UserError(
                    f'{url} cannot be downloaded ({error}): fetch it '
                    'elsewhere and name the file instead'
                ) from None
    return path


def download_from_hub(name: str) -> str:
    """Downloads one of timm's models with the package huggingface_hub.

    That package's cache and settings (``HF_HOME``, ``HF_ENDPOINT``,
    ``HF_HUB_OFFLINE``) apply.

    Args:
        name (str): timm's name of the model: 'ecaresnet50d.miil_in1k'.

    Returns:
        str: The path of the file.

    Raises:
        UserError: If it cannot be downloaded.
    """
    try:
        path: str = require('huggingface_hub', 'timm').hf_hub_download(
            f'timm/{name}', _HUB_FILE, endpoint=os.environ.get('HF_ENDPOINT')
        )
    except UserError:
        raise
    except Exception as error:  # its versions raise different ones
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f'timm://{name} cannot be downloaded ({reason}): fetch {_HUB_FILE} '
            f'of timm/{name} elsewhere and write timm://FILE'
        ) from None
    return path


def hash_in_name(name: str) -> str | None:
    """Returns the digits of a SHA-256 at the end of a file's name, if it has any.

    ``torch.hub.HASH_REGEX`` takes a date, as in model-20240131.pth, for a hash too.
    """
    found = re.search(r'-([0-9a-f]{8,64})\.(pth|pt|bin|safetensors)$', name)
    if found and not re.fullmatch(r'(19|20)\d\d(0\d|1[0-2])([0-2]\d|3[01])', found[1]):
        return found[1]
    return None
