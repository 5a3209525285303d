"""Adds to the names of checkpoints that mmengine loads.

    init_cfg=dict(
        type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k')

'ecanet://', 'timm://', 'mmpretrain://' and 'efficientnet-lite://' are new, and so are
'.safetensors' files. All other names are mmengine's own.
"""

import os.path as osp
import re
from importlib.util import find_spec
from typing import Any

from mmengine.runner import CheckpointLoader

from ..dependencies import require
from ..errors import UserError
from .convert import find_source
from .downloads import download, download_from_hub
from .files import MapLocation, StateDict, read_checkpoint, read_weights, to_device
from .sources import authors_imagenet, efficientnet_lite, mmpretrain, timm

SCHEMES = {
    'ecanet': authors_imagenet,
    'timm': timm,
    'mmpretrain': mmpretrain,
    'efficientnet-lite': efficientnet_lite,
}
_WEB = ('http://', 'https://')
_EXTENSIONS = ('.pth', '.pt', '.tar', '.bin', '.safetensors')


def load_from_project(filename: str, map_location: MapLocation = None) -> dict:
    """Loads another project's weights for mmengine, by this package's names.

    Args:
        filename (str): One of ``SCHEMES``, '://' and a path or URL, or 'timm://' and a
            model's name, or 'efficientnet-lite://' and 'lite0' to 'lite4'.
        map_location (optional): A device, by default the CPU.

    Returns:
        dict: ``state_dict``, in which a classifier ``fc`` stays.

    Raises:
        UserError: If the file does not exist, cannot be downloaded or read, comes from
            another source, or parameters are missing or left over.
    """
    scheme, _, place = filename.partition('://')
    path = local_path(filename)
    if path is None:
        path = (download if place.startswith(_WEB) else download_from_hub)(place)
    state_dict, meta = read_weights(path)
    source = find_source(path, state_dict, meta, (SCHEMES[scheme],))
    converted, _ = source.convert(state_dict)
    return dict(state_dict=to_device(converted, map_location))


def load_from_safetensors(filename: str, map_location: MapLocation = None) -> StateDict:
    """Loads a '.safetensors' file, of a path or URL, for mmengine."""
    path = download(filename) if filename.startswith(_WEB) else filename
    weights: StateDict = read_checkpoint(path, map_location)
    return weights


def load_checkpoint(filename: str) -> Any:
    """Loads what mmengine would, onto the CPU, by :func:`read_checkpoint` if it can.

    Raises:
        UserError: If it does not exist, or cannot be read.
    """
    if '://' in filename:
        return CheckpointLoader.load_checkpoint(filename, map_location='cpu')
    return read_checkpoint(filename)


def local_path(filename: str) -> str | None:
    """Returns the local file that a checkpoint's name means, downloading nothing.

    Args:
        filename (str): A name that ``init_cfg`` or ``load_from`` takes.

    Returns:
        str, optional: The path; None if it is no local file, or mmengine finds it.

    Raises:
        UserError: If the name is none that :func:`load_from_project` takes, or a
            package that it needs is not installed.
    """
    if filename.endswith('.safetensors'):
        require('safetensors.torch', 'timm')
    scheme, separator, place = filename.partition('://')
    if not separator:
        return filename
    if scheme == 'torchvision' and find_spec('torchvision') is None:
        raise UserError(
            f'{filename} needs a package that is not installed: pip install '
            'torchvision, or give the URL of the weights'
        )
    if scheme not in SCHEMES or place.startswith(_WEB):
        return None
    if (
        scheme == 'timm'
        and re.fullmatch(r'[\w.-]+', place)
        and not (place.endswith(_EXTENSIONS) or osp.exists(place))
    ):
        timm.check_name(place)
        require('huggingface_hub', 'timm')
        require('safetensors.torch', 'timm')
        return None
    if scheme == 'efficientnet-lite' and re.fullmatch(r'\w+', place):
        return efficientnet_lite.packaged_file(place)
    if '://' in place:
        raise UserError(
            f'{filename} is neither a file, nor a URL (http://, '
            "https://), nor, with timm://, a model's name"
        )
    return place
