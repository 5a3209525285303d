"""Files from the network, each downloaded once for all processes of a machine."""

import hashlib
import os
import os.path as osp
import re
from http.client import HTTPException
from typing import Any, Optional
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from filelock import FileLock
from tqdm import tqdm

from ..errors import UserError

TIMEOUT = 60  # seconds without a byte
_HUB_FILE = 'model.safetensors'


def download(url: str) -> str:
    """Downloads a file, unless it is in torch.hub's folder already.

    A hash that the file's name carries, as in resnet50-0676ba61.pth, is checked
    whenever the file is asked for: the first digits of its SHA-256.

    Args:
        url (str): Begins with 'http://' or 'https://'.

    Returns:
        str: The path of the whole file. A name with a hash is torch.hub's own;
        other names are in a folder of their address, since a name alone is
        shared by many models.

    Raises:
        UserError: If it cannot be downloaded, is cut off or has another hash;
            nothing is left behind then.
    """
    address = urlparse(url)
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    name = osp.basename(address.path)
    digits = hash_in_name(name)
    path = (
        osp.join(folder, name)
        if digits
        else osp.join(
            folder, address.netloc.replace(':', '_'), *address.path.split('/')
        )
    )
    if not osp.exists(path):
        os.makedirs(osp.dirname(path), exist_ok=True)
        with FileLock(f'{path}.lock'):  # other processes wait here
            if not osp.exists(path):
                _fetch(url, path, digits)
                return path
    if digits and not _sha256(path).startswith(digits):
        raise UserError(
            f'{path} is cut off or damaged (its SHA-256 does not begin with '
            f'{digits}): delete it, and it is downloaded again'
        )
    return path


def download_from_hub(name: str) -> str:
    """Downloads a model of timm's from the Hugging Face hub, by its client.

    Its cache and its settings (``HF_HOME``, ``HF_ENDPOINT``,
    ``HF_HUB_OFFLINE``) apply.

    Args:
        name (str): As timm calls it: 'ecaresnet50d.miil_in1k'.

    Returns:
        str: The path of the whole file.

    Raises:
        UserError: If it cannot be downloaded, or has another hash.
    """
    client = require_hub()
    try:
        path = client.hf_hub_download(
            f'timm/{name}', _HUB_FILE, endpoint=os.environ.get('HF_ENDPOINT')
        )
    except Exception as error:  # of kinds that differ between its versions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f'timm://{name} cannot be downloaded ({reason}): fetch {_HUB_FILE} '
            f'of timm/{name} elsewhere and write timm://FILE'
        ) from None
    stored = osp.realpath(path)  # named after its SHA-256
    if re.fullmatch('[0-9a-f]{64}', osp.basename(stored)) and (
        _sha256(stored) != osp.basename(stored)
    ):
        raise UserError(
            f'{stored} is cut off or damaged (its SHA-256 is not '
            'its name): delete it, and it is downloaded again'
        )
    return path


def require_hub() -> Any:
    """The package huggingface_hub.

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


def hash_in_name(name: str) -> Optional[str]:
    """The digits of a SHA-256 that a file's name ends in, if it does.

    Eight digits may also be a date, as in model-20240131.pth.
    """
    found = re.search(r'-([0-9a-f]{8,64})\.(pth|pt|bin|safetensors)$', name)
    if found and not re.fullmatch(r'(19|20)\d\d(0\d|1[0-2])([0-2]\d|3[01])', found[1]):
        return found[1]
    return None


def _fetch(url: str, path: str, digits: Optional[str]) -> None:
    unfinished = f'{path}.part'
    try:
        _copy(url, unfinished)
        if digits and not _sha256(unfinished).startswith(digits):
            raise OSError(f'its SHA-256 does not begin with {digits}')
        os.replace(unfinished, path)
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(
            f'{url} cannot be downloaded ({error}): fetch it '
            'elsewhere and name the file instead'
        ) from None
    finally:
        if osp.exists(unfinished):
            os.remove(unfinished)


def _copy(url: str, path: str) -> None:
    request = Request(url, headers={'User-Agent': 'mmdet_eca'})
    with urlopen(request, timeout=TIMEOUT) as response, open(path, 'wb') as file:
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


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            digest.update(block)
    return digest.hexdigest()
