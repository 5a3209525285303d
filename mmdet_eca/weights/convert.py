import os.path as osp
from collections.abc import Sequence
from types import ModuleType

from ..errors import UserError
from .files import StateDict, read_weights, write_checkpoint
from .sources import SOURCES


def convert_checkpoint(path: str, out: str, mmdet_version: str | None = None) -> str:
    """Converts a checkpoint of another project to this package's parameter names.

    Args:
        path (str): A checkpoint of one of ``sources.SOURCES``.
        out (str): The file to write; it appears whole, or not at all if something
            is wrong.
        mmdet_version (str, optional): The version of MMDetection that wrote the
            file, if the file does not say it.

    Returns:
        str: One line that says what the file is and which model it fits.

    Raises:
        UserError: If the file cannot be read without running code in it, it is of
            no known source, parameters are missing or left over, it says another
            version than ``mmdet_version``, or ``out`` is ``path``.
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
    source = find_source(path, state_dict, meta, SOURCES)
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


def find_source(
    path: str, state_dict: StateDict, meta: dict, sources: Sequence[ModuleType]
) -> ModuleType:
    """Returns the one of ``sources`` that a checkpoint comes from.

    Raises:
        UserError: If it comes from none of them.
    """
    for source in sources:
        if source.matches(state_dict, meta):
            return source
    known = '; '.join(source.NAME for source in sources)
    raise UserError(
        f'{path} is none of: {known}. Its first tensor is {next(iter(state_dict))!r}'
    )
