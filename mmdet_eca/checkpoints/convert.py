import os.path as osp
from types import ModuleType
from typing import Optional, Sequence

from ..errors import UserError
from .files import StateDict, read_weights, write_checkpoint
from .sources import SOURCES


def convert_checkpoint(path: str, out: str, mmdet_version: Optional[str] = None) -> str:
    """Converts a checkpoint from elsewhere to this package's names.

    Args:
        path (str): A file of one of ``sources.SOURCES``.
        out (str): Where to write the weights; the file appears whole, and only
            if all went well.
        mmdet_version (str, optional): Which MMDetection has written the file,
            for one that does not say it.

    Returns:
        str: What the file is and what it fits, one line.

    Raises:
        UserError: If the file is not read safely, its source is not known, it
            is not whole, something is left over, it says another version, or
            ``out`` is ``path``.
    """
    if osp.realpath(path) == osp.realpath(out):
        raise UserError(f'{out} is the file to convert: give another name')
    state_dict, meta = read_weights(path)
    if mmdet_version is not None:
        written = meta.setdefault('mmdet_version', mmdet_version)
        if written != mmdet_version:
            raise UserError(
                f'{path} is of MMDetection {written}, not '
                f'{mmdet_version}: leave --mmdet-version out'
            )
    source = recognise(path, state_dict, meta, SOURCES)
    converted, fits = source.convert(state_dict)
    kept = {
        key: meta[key]
        for key in ('CLASSES', 'dataset_meta', 'epoch', 'iter')
        if meta.get(key) is not None
    }
    if 'CLASSES' in kept:
        kept['dataset_meta'] = dict(classes=tuple(kept.pop('CLASSES')))
    write_checkpoint(
        dict(
            state_dict=converted,
            meta=dict(kept, mmdet_eca=f'converted from {source.NAME}'),
        ),
        out,
    )
    return f'{path}: {source.NAME}, {fits}; {len(converted)} tensors in {out}'


def recognise(
    path: str, state_dict: StateDict, meta: dict, sources: Sequence[ModuleType]
) -> ModuleType:
    """The source, of those given, that a checkpoint is of.

    Raises:
        UserError: If it is of none of them.
    """
    for source in sources:
        if source.matches(state_dict, meta):
            return source
    known = '; '.join(source.NAME for source in sources)
    raise UserError(
        f'{path} is none of: {known}. Its first tensor is {next(iter(state_dict))!r}'
    )
