"""Makes mmengine load every checkpoint through this package's safe reader.

    init_cfg=dict(
        type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k')

'ecanet://', 'timm://' and 'mmpretrain://' are added by this package. The other
schemes are mmengine's own, whose loaders run code in a file unless torch refuses.
"""

import io
import os.path as osp
import re

import mmengine
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from ..errors import UserError
from .convert import find_source
from .downloads import download, download_from_hub, require_hub
from .files import (
    read_checkpoint,
    read_stream,
    read_weights,
    require_safetensors,
    to_device,
)
from .formats import MapLocation
from .sources import authors_imagenet, mmpretrain, timm

SCHEMES = dict(ecanet=authors_imagenet, timm=timm, mmpretrain=mmpretrain)
_WEB = ('http://', 'https://')
# Schemes that mmengine has a table of model names for.
_MODEL_ZOOS = ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab', 'mmcls')
# Regular expressions, as mmengine registers them; the empty one is for local files.
_BUCKETS = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')
PREFIXES = (
    '',
    *_WEB,
    *_BUCKETS,
    'pavi://',
    *(f'{scheme}://' for scheme in (*SCHEMES, *_MODEL_ZOOS)),
)
_EXTENSIONS = ('.pth', '.pt', '.tar', '.bin', '.safetensors')


def register_schemes() -> None:
    """Registers :func:`load_checkpoint_safely` for all of mmengine's prefixes."""
    CheckpointLoader.register_scheme(PREFIXES, load_checkpoint_safely, force=True)


def load_checkpoint_safely(filename: str, map_location: MapLocation = None) -> dict:
    """Loads a checkpoint for mmengine without running code in it.

    Args:
        filename (str): A path, a URL or a model's name, as for
            :func:`local_path`.
        map_location (optional): As in ``torch.load``, but the CPU by default.

    Returns:
        dict: All that is in the file. With a scheme of this package only
        ``state_dict``, converted to this package's parameter names; a classifier
        ``fc`` stays in it.

    Raises:
        UserError: If the file does not exist, cannot be downloaded or cannot be
            read safely; with a scheme of this package also if the file comes
            from another source, or parameters are missing or left over.
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
            mmengine_checkpoint._process_mmcls_checkpoint(loaded)
            if scheme == 'mmcls'
            else loaded
        )
    state_dict, meta = read_weights(place)
    source = find_source(place, state_dict, meta, (SCHEMES[scheme],))
    converted, _ = source.convert(state_dict)
    return dict(state_dict=to_device(converted, map_location))


def local_path(filename: str) -> str | None:
    """Returns the local file that a checkpoint's name means, downloading nothing.

    Args:
        filename (str): As in ``init_cfg`` or ``load_from``: a path; a URL;
            'torchvision://', 'open-mmlab://' or 'mmcls://' and a model's name;
            'ecanet://', 'timm://' or 'mmpretrain://' and a path or URL;
            'timm://' and a model's name.

    Returns:
        str, optional: The path, None if the file would be downloaded.

    Raises:
        UserError: If the scheme or the model's name is not known, or a package
            that the download needs is not installed.
    """
    loader = CheckpointLoader._get_checkpoint_loader(filename)
    if loader is not load_checkpoint_safely:
        return None  # a scheme that another package has registered
    kind, place = _resolve(filename)
    if kind == 'hub':
        require_hub()
    if kind == 'hub' or place.endswith('.safetensors'):
        require_safetensors()
    return place if kind == 'file' else None


def _resolve(filename: str) -> tuple[str, str]:
    """Returns where a checkpoint is, and its path, address or name there.

    The first is one of 'file', 'url', 'hub' and 'bucket'.
    """
    scheme, separator, rest = filename.partition('://')
    if not separator:
        return 'file', filename
    if filename.startswith(_WEB):
        return 'url', filename
    if any(re.match(prefix, filename) for prefix in _BUCKETS):
        return 'bucket', filename
    if scheme in _MODEL_ZOOS:
        return _look_up(scheme, rest)
    if scheme not in SCHEMES:
        known = ', '.join(
            f'{known}://' for known in ('http', 'https', *SCHEMES, *_MODEL_ZOOS)
        )
        raise UserError(f'{filename}: its scheme is not among {known}')
    if rest.startswith(_WEB):
        return 'url', rest
    if (
        scheme == 'timm'
        and re.fullmatch(r'[\w.-]+', rest)
        and not (rest.endswith(_EXTENSIONS) or osp.exists(rest))
    ):
        timm.check_name(rest)
        return 'hub', rest
    if '://' in rest:
        raise UserError(
            f'{filename} is neither a file, nor a URL (http://, '
            "https://), nor, with timm://, a model's name"
        )
    return 'file', rest


def _look_up(scheme: str, name: str) -> tuple[str, str]:
    """Returns where mmengine's table of a model zoo has a model.

    mmengine's own loader for 'torchvision://' imports torchvision first.
    """
    if scheme in ('torchvision', 'modelzoo'):
        table = mmengine.load(
            osp.join(mmengine.__path__[0], 'hub', 'torchvision_0.12.json')
        )
        if name not in table:
            table = _torchvision_table(table)
    elif scheme == 'mmcls':
        table = mmengine_checkpoint.get_mmcls_models()
    else:
        table = mmengine_checkpoint.get_external_models()
        name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    place = table.get(name)
    if place is None:
        raise UserError(
            f'{scheme}://{name}: no model of this name is known; '
            'give the URL of its weights instead'
        )
    if place.startswith(_WEB):
        return 'url', place
    return 'file', osp.join(mmengine_checkpoint._get_mmengine_home(), place)


def _torchvision_table(table: dict) -> dict:
    """Returns the table of the installed torchvision; without one, ``table``.

    Its names are such as 'resnet50.imagenet1k_v2'.
    """
    try:
        return mmengine_checkpoint.get_torchvision_models()
    except Exception:  # not installed, or it does not load beside this torch
        return table
