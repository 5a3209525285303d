"""Downloads files, each once for all processes of a machine."""

import os
import os.path as osp
import re
from http.client import HTTPException
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from filelock import FileLock
from tqdm import tqdm

from ..errors import UserError
from .files import sha256, whole_file

TIMEOUT = 60  # seconds without a byte
_HUB_FILE = 'model.safetensors'


def download(url: str) -> str:
    """Downloads a file, unless it is in torch.hub's folder already.

    ``torch.hub.load_state_dict_from_url`` downloads once for each process, takes a
    file that was cut off for whole, waits for ever on a silent server, checks the
    hash in a name only while it downloads, and takes files of the same name at
    different addresses for the same.

    Args:
        url (str): Begins with 'http://' or 'https://'.

    Returns:
        str: The path of the file. If its name ends in the first digits of its
        SHA-256, as resnet50-0676ba61.pth, it is where torch.hub keeps it;
        otherwise in folders named after its address.

    Raises:
        UserError: If it cannot be downloaded or is cut off, nothing is left behind
            then; if its SHA-256 is not that in its name; or if the address would
            lead out of the folder of downloads.
    """
    address = urlparse(url)
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    name = osp.basename(address.path)
    digits = hash_in_name(name)
    parts = address.path.split('/')
    if address.scheme not in ('http', 'https') or '..' in parts:
        raise UserError(
            f'{url} is not downloaded: an address begins with http:// or https:// and '
            "has no '..' in its path"
        )
    path = (
        osp.join(folder, name)
        if digits
        else osp.join(folder, address.netloc.replace(':', '_'), *parts)
    )
    if not osp.exists(path):
        os.makedirs(osp.dirname(path), exist_ok=True)
        with FileLock(f'{path}.lock'):  # other processes wait here
            if not osp.exists(path):
                _fetch(url, path, digits)
                return path
    if digits and not sha256(path).startswith(digits):
        raise UserError(
            f'{path} is cut off or damaged (its SHA-256 does not begin with '
            f'{digits}): delete it, and it is downloaded again'
        )
    return path


def download_from_hub(name: str) -> str:
    """Downloads one of timm's models with the package huggingface_hub.

    That package's cache and settings (``HF_HOME``, ``HF_ENDPOINT``,
    ``HF_HUB_OFFLINE``) apply. It compares the size of a file while it downloads
    it; the SHA-256, which also finds damage in the cache, is compared here.

    Args:
        name (str): timm's name of the model: 'ecaresnet50d.miil_in1k'.

    Returns:
        str: The path of the file.

    Raises:
        UserError: If it cannot be downloaded, or has another SHA-256.
    """
    client = require_hub()
    try:
        path = client.hf_hub_download(
            f'timm/{name}', _HUB_FILE, endpoint=os.environ.get('HF_ENDPOINT')
        )
    except Exception as error:  # its versions raise different ones
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f'timm://{name} cannot be downloaded ({reason}): fetch {_HUB_FILE} '
            f'of timm/{name} elsewhere and write timm://FILE'
        ) from None
    stored = osp.realpath(path)  # named after its SHA-256
    if re.fullmatch('[0-9a-f]{64}', osp.basename(stored)) and (
        sha256(stored) != osp.basename(stored)
    ):
        raise UserError(
            f'{stored} is cut off or damaged (its SHA-256 is not '
            'its name): delete it, and it is downloaded again'
        )
    return path


def require_hub() -> Any:
    """Returns the package huggingface_hub.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            "timm's models need packages that are not installed: "
            'pip install safetensors huggingface_hub'
        ) from None
    return huggingface_hub


def hash_in_name(name: str) -> str | None:
    """Returns the digits of a SHA-256 at the end of a file's name, if it has any.

    ``torch.hub.HASH_REGEX`` takes a date, as in model-20240131.pth, for a hash too.
    """
    found = re.search(r'-([0-9a-f]{8,64})\.(pth|pt|bin|safetensors)$', name)
    if found and not re.fullmatch(r'(19|20)\d\d(0\d|1[0-2])([0-2]\d|3[01])', found[1]):
        return found[1]
    return None


def _fetch(url: str, path: str, digits: str | None) -> None:
    try:
        # Of this name, a part that a killed process left is written over.
        with whole_file(path, f'{path}.part') as unfinished:
            _copy(url, unfinished)
            if digits and not sha256(unfinished).startswith(digits):
                raise OSError(f'its SHA-256 does not begin with {digits}')
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(
            f'{url} cannot be downloaded ({error}): fetch it '
            'elsewhere and name the file instead'
        ) from None


def _copy(url: str, path: str) -> None:
    request = Request(url, headers={'User-Agent': 'mmdet_eca'})
    # download() has looked at the scheme.
    response = urlopen(request, timeout=TIMEOUT)  # nosec B310
    with response, open(path, 'wb') as file:
        size = response.headers.get('Content-Length')
        size = None if size is None else int(size)
        with tqdm(
            total=size, desc=osp.basename(path)[:-5], unit='B', unit_scale=True
        ) as progress:
            for block in iter(lambda: response.read(2**20), b''):
                file.write(block)
                progress.update(len(block))
    if size is not None and osp.getsize(path) != size:
        raise OSError(f'cut off after {osp.getsize(path)} of {size} bytes')
