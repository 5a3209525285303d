"""The doors by which mmengine gets a checkpoint, all through one safe reader.

    init_cfg=dict(
        type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k')

'ecanet://', 'timm://' and 'mmpretrain://' are this package's. The others are
mmengine's own, whose loaders would run code in a file wherever torch lets them.
"""

import io
import os.path as osp
import re
from typing import Optional, Tuple

import mmengine
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengines

from ..errors import UserError
from .convert import recognise
from .downloads import download, download_from_hub, require_hub
from .files import (
    read_checkpoint,
    read_stream,
    read_weights,
    require_safetensors,
    to_device,
)
from .sources import authors_imagenet, mmpretrain, timm
from .unpickling import MapLocation

SCHEMES = dict(ecanet=authors_imagenet, timm=timm, mmpretrain=mmpretrain)
_WEB = ('http://', 'https://')
_NAMED = ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab', 'mmcls')
# As mmengine has them: regular expressions, the empty one for files here.
_BUCKETS = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')
PREFIXES = (
    '',
    *_WEB,
    *_BUCKETS,
    'pavi://',
    *(f'{scheme}://' for scheme in (*SCHEMES, *_NAMED)),
)
_FILES = ('.pth', '.pt', '.tar', '.bin', '.safetensors')


def register_schemes() -> None:
    """Makes mmengine's checkpoint loader read everything through this module."""
    CheckpointLoader.register_scheme(PREFIXES, load_from_mmdet_eca, force=True)


def load_from_mmdet_eca(filename: str, map_location: MapLocation = None) -> dict:
    """Loads a checkpoint from a file or from elsewhere, without running code.

    Args:
        filename (str): A path, or as ``local_path`` takes it.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Returns:
        dict: All that is in the file; of the schemes of this package
        ``state_dict`` alone, by our names, with a classifier ``fc`` if there
        was one.

    Raises:
        UserError: If the file is not there or not read safely; for the schemes
            of this package also if it is of another source or not whole.
    """
    kind, place = _resolve(filename)
    if kind == 'bucket':
        backend = get_file_backend(place, backend_args=dict(backend='petrel'))
        return read_stream(io.BytesIO(backend.get(place)), place, map_location)
    if kind == 'url':
        place = download(place)
    elif kind == 'hub':
        place = download_from_hub(place)
    scheme = filename.partition('://')[0]
    if scheme not in SCHEMES:
        loaded = read_checkpoint(place, map_location)
        return (
            mmengines._process_mmcls_checkpoint(loaded) if scheme == 'mmcls' else loaded
        )
    state_dict, meta = read_weights(place)
    source = recognise(place, state_dict, meta, (SCHEMES[scheme],))
    converted, _ = source.convert(state_dict)
    return dict(state_dict=to_device(converted, map_location))


def local_path(filename: str) -> Optional[str]:
    """The file here that a checkpoint's name means; nothing is downloaded.

    Args:
        filename (str): As in ``init_cfg`` or ``load_from``: a path; a URL;
            'torchvision://', 'open-mmlab://' or 'mmcls://' and a model's name;
            'ecanet://', 'timm://' or 'mmpretrain://' and a path or URL;
            'timm://' and a model's name.

    Returns:
        str, optional: None for what is downloaded.

    Raises:
        UserError: If the scheme or the name is not known, or a package is
            missing that is needed to get it.
    """
    loader = CheckpointLoader._get_checkpoint_loader(filename)
    if loader is not load_from_mmdet_eca:
        return None  # somebody else's scheme
    kind, place = _resolve(filename)
    if kind == 'hub':
        require_hub()
    if kind == 'hub' or place.endswith('.safetensors'):
        require_safetensors()
    return place if kind == 'file' else None


def _resolve(filename: str) -> Tuple[str, str]:
    """What kind of place a name means, of 'file', 'url', 'hub' and 'bucket'."""
    scheme, separator, rest = filename.partition('://')
    if not separator:
        return 'file', filename
    if filename.startswith(_WEB):
        return 'url', filename
    if any(re.match(prefix, filename) for prefix in _BUCKETS):
        return 'bucket', filename
    if scheme in _NAMED:
        return _address(scheme, rest)
    if scheme not in SCHEMES:
        known = ', '.join(
            f'{known}://' for known in ('http', 'https', *SCHEMES, *_NAMED)
        )
        raise UserError(f'{filename}: its scheme is not among {known}')
    if rest.startswith(_WEB):
        return 'url', rest
    if (
        scheme == 'timm'
        and re.fullmatch(r'[\w.-]+', rest)
        and not (rest.endswith(_FILES) or osp.exists(rest))
    ):
        return 'hub', rest
    if '://' in rest:
        raise UserError(
            f'{filename} is neither a file, nor a URL (http://, '
            "https://), nor, with timm://, a model's name"
        )
    return 'file', rest


def _address(scheme: str, name: str) -> Tuple[str, str]:
    """Where mmengine's tables have a model; torchvision is not needed."""
    if scheme in ('torchvision', 'modelzoo'):
        table = mmengine.load(
            osp.join(mmengine.__path__[0], 'hub', 'torchvision_0.12.json')
        )
        if name not in table:
            table = _torchvisions_table(table)
    elif scheme == 'mmcls':
        table = mmengines.get_mmcls_models()
    else:
        table = mmengines.get_external_models()
        name = mmengines.get_deprecated_model_names().get(name, name)
    place = table.get(name)
    if place is None:
        raise UserError(
            f'{scheme}://{name}: no model of this name is known; '
            'give the URL of its weights instead'
        )
    if place.startswith(_WEB):
        return 'url', place
    return 'file', osp.join(mmengines._get_mmengine_home(), place)


def _torchvisions_table(table: dict) -> dict:
    """With the names, as 'resnet50.imagenet1k_v2', that torchvision knows."""
    try:
        return mmengines.get_torchvision_models()
    except Exception:  # not installed, or it does not load beside this torch
        return table
