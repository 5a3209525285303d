"""``init_cfg`` from elsewhere: 'ecanet://', 'timm://' and 'mmpretrain://'.

    init_cfg=dict(
        type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k')
"""
import os
import os.path as osp
import re
from typing import Optional
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader

from ..errors import UserError
from . import authors_imagenet, mmpretrain, timm
from .convert import convert_state_dict, recognise
from .files import read_checkpoint

SCHEMES = dict(ecanet=authors_imagenet, timm=timm, mmpretrain=mmpretrain)
# timm's page of a model; the file that torch reads, beside model.safetensors.
TIMM_URL = 'https://huggingface.co/timm/{}/resolve/main/pytorch_model.bin'
_FILES = ('.pth', '.pt', '.tar', '.bin', '.safetensors')


def register_schemes() -> None:
    """Makes the prefixes known to mmengine's checkpoint loader."""
    prefixes = [f'{scheme}://' for scheme in SCHEMES]
    CheckpointLoader.register_scheme(
        prefixes, load_from_elsewhere, force=True)


def load_from_elsewhere(filename: str,
                   map_location: Optional[str] = None) -> dict:
    """Loads pretrained weights from elsewhere, by this package's names.

    Args:
        filename (str): Scheme and file or URL; for 'timm://' also a model of
            timm's on the Hugging Face hub.
        map_location (str, optional): Where the weights go; the CPU by default.

    Returns:
        dict: ``state_dict``, with a classifier ``fc`` if there was one.

    Raises:
        UserError: If the file is not there or not read safely, is of another
            source, or is not whole.
    """
    path = local_path(filename)
    if path is None:
        path = _download(_url(filename))
    scheme, _, _ = filename.partition('://')
    state_dict, meta = read_checkpoint(path)
    source = recognise(path, state_dict, meta, (SCHEMES[scheme], ))
    converted, _ = convert_state_dict(source, state_dict)
    device = map_location or 'cpu'
    return dict(state_dict={
        name: value.to(device) for name, value in converted.items()
    })


def local_path(filename: str) -> Optional[str]:
    """The part of a checkpoint's name that is a file here.

    Args:
        filename (str): As in ``init_cfg``, with or without a scheme.

    Returns:
        str, optional: None for what is downloaded, and for mmengine's other
        schemes.
    """
    scheme, separator, rest = filename.partition('://')
    if not separator:
        return filename
    if scheme not in SCHEMES or '://' in rest:
        return None
    if scheme == 'timm' and os.sep not in rest and not rest.endswith(
            _FILES) and not osp.exists(rest):
        return None
    return rest


def _url(filename: str) -> str:
    scheme, _, rest = filename.partition('://')
    if rest.startswith(('http://', 'https://')):
        return rest
    if scheme == 'timm' and re.fullmatch(r'[\w.-]+', rest):
        return TIMM_URL.format(rest)
    raise UserError(f'{filename} is neither a file, nor a URL (http://, '
                    "https://), nor, with timm://, a model's name")


def _download(url: str) -> str:
    """Downloads a file once, as torch.hub does; returns its path.

    torch.hub's and mmengine's own loaders would unpickle it unsafely, and tell
    files apart by their last name only, which every model on a hub shares.
    """
    address = urlparse(url)
    path = osp.join(torch.hub.get_dir(), 'checkpoints', address.netloc,
                    *address.path.split('/'))
    if is_main_process():
        _fetch(url, path)
    barrier()
    _fetch(url, path)  # on another machine
    return path


def _fetch(url: str, path: str) -> None:
    if osp.exists(path):
        return
    os.makedirs(osp.dirname(path), exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, path)
    except OSError as error:  # urllib's are OSErrors
        raise UserError(f'{url} cannot be downloaded ({error}): fetch it '
                        'elsewhere and name the file instead') from None
