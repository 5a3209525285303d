"""The package's readers of files, and what they promise of the result."""

import collections
import logging
import os

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmdet_eca.checkpoints.add_attention import add_attention
from mmdet_eca.checkpoints.convert import convert_checkpoint
from mmdet_eca.checkpoints.files import read_checkpoint, read_weights
from mmdet_eca.checkpoints.rebuilding import NAMES, Storage, StorageType
from mmdet_eca.data import Findings, read_categories, read_coco_file
from mmdet_eca.data.coco_file import read_lists
from mmdet_eca.data.images import build_reader, read_image_file
from mmdet_eca.data.objects import check_objects, find_other_classes
from mmdet_eca.engine.resuming.finding import find_newest_checkpoint
from mmdet_eca.errors import UserError
from mmdet_eca.pretraining import image_decoding
from mmdet_eca.pretraining.image_index import read_index

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray)
_PLAIN += (
    Storage,
    StorageType,
    torch.dtype,
    torch.device,
    torch.layout,
    torch.Size,
    np.generic,
    np.dtype,
)
_LARGEST = 2**22  # elements of a tensor that are looked at one by one
_MESSAGES = logging.getLogger('fuzzing')


def checkpoint(path):
    """The single reader of checkpoints."""
    check_content(read_checkpoint(path))


def weights(path):
    """The same, of weights alone."""
    state_dict, meta = read_weights(path)
    assert state_dict and type(meta) is dict
    check_content(state_dict)


def conversion(path):
    """The converter, and all that may be asked of what it has written."""
    told = _written(path, convert_checkpoint)
    assert len(told.splitlines()) == 1


def attention(path):
    """add_attention, which computes with some of the weights."""
    _written(path, lambda *paths: add_attention(*paths, dict(type='ECALayer')))


def _written(path, write):
    folder = os.path.dirname(path)
    try:
        told = write(path, out := f'{folder}/out.pth')
    except UserError:
        # Libraries put temporary files of their own there.
        left = [name for name in os.listdir(folder) if name.startswith('out.pth')]
        assert not left, 'half a file is left'
        raise
    read_weights(out)
    return told


def pretraining_image(path):
    """The decoder of images for pretraining, whose error is one of its own."""
    try:
        file = image_decoding.read_image(path)
        box = image_decoding.Box(0, 0, min(8, file.height), min(8, file.width))
        cropped = image_decoding.decode_crop(file, box, 4)
    except image_decoding.CorruptImage as error:
        raise UserError(str(error)) from None
    assert cropped.shape == (4, 4, 3) and cropped.dtype == np.uint8


def predicted_image(path):
    """The reader of images to predict on, which says what is wrong by a ValueError."""
    from mmdet_eca.inference.inferencer import Inferencer, InferencerLoader

    inferencer = Inferencer.__new__(Inferencer)
    inferencer._loader = InferencerLoader()
    try:
        image = inferencer.read(path)
    except ValueError as error:
        raise UserError(str(error)) from None
    assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8


def checked_image(path):
    """The reader of the images of a data set, which reports and raises nothing."""
    file = read_image_file(path, build_reader())
    assert file.bytes == os.path.getsize(path)
    if file.problem:
        raise UserError(f'{file.problem}: {file.reason}')
    assert file.size is None or min(file.size) > 0


def annotations(path):
    """The reader of COCO's files and the checks of a data set."""
    data = read_coco_file(path)
    images, objects = len(data.file_names), len(data.images)
    assert data.sizes.shape == (images, 2) and data.boxes.shape == (objects, 4)
    assert len(data.image_ids) == images and len(data.ids) == objects
    for values in (data.labels, data.has_mask, data.is_used):
        assert values.shape == (objects,)
    assert np.isfinite(data.boxes).all()
    assert data.images.max(initial=-1) < images
    assert data.labels.max(initial=-1) < len(data.classes)
    assert all(isinstance(name, str) for name in data.classes)
    find_other_classes(data, data, Findings(path))
    for line in (*map(str, check_objects(data).values()), str(data)):
        assert len(line.splitlines()) == 1, repr(line)


def annotation_lists(path):
    """The lists of a file."""
    assert isinstance(read_lists(path).images, list)


def categories(path):
    """The names of the categories alone."""
    names = read_categories(path)
    assert isinstance(names, list) and all(isinstance(name, str) for name in names)


def newest_checkpoint(path):
    """The checkpoint of a folder from which a run goes on."""
    folder = os.path.dirname(path)
    found = find_newest_checkpoint(folder, folder, ['epoch_*.pth'], _MESSAGES)
    assert found is None or (os.path.isfile(found.path) and type(found.meta) is dict)


def image_list(path):
    """The list of the images for pretraining."""
    index = read_index(path)
    assert index.names.tolist() == [b'x.jpg'] and index.labels.tolist() == [0]


def check_content(content):
    """Goes through all that a checkpoint has, each object once.

    Raises:
        AssertionError: If there is what no checkpoint should have, or a tensor that is
            larger than its storage.
    """
    seen, pending = set(), [content]
    while pending:
        value = pending.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            _check_tensor(value)
            pending.extend(vars(value).values() if hasattr(value, '__dict__') else ())
        elif isinstance(value, np.ndarray):
            assert type(value) is np.ndarray and value.dtype.kind in 'biufcSUO', (
                value.dtype
            )
            if value.dtype.hasobject:
                assert value.dtype == object, 'an array that claims to have objects'
                pending.extend(value.ravel().tolist())
            else:
                value.tobytes()
        elif isinstance(value, dict):
            pending.extend(value)
            pending.extend(value.values())
            pending.extend(getattr(value, '__dict__', {}).values())
        elif type(value) in (list, tuple, set):
            pending.extend(value)
        elif type(value) is HistoryBuffer:
            pending.extend(vars(value).values())
            for method in value._statistics_methods.values():
                assert method in _METHODS, 'another method of a HistoryBuffer'
        else:
            known = any(value is name for name in (*NAMES.values(), *_METHODS))
            assert known, f'a {type(value)}'


_METHODS = [getattr(HistoryBuffer, name) for name in ('current', 'max', 'mean', 'min')]


def _check_tensor(value):
    assert value.device.type in ('cpu', 'meta'), value.device
    if value.device.type == 'meta':
        return
    if value.layout != torch.strided:
        value.to(torch.float64).sum()
        return
    last = sum((n - 1) * s for n, s in zip(value.shape, value.stride()))
    last = (value.storage_offset() + last + 1) * value.element_size()
    if value.numel():
        held = value.untyped_storage().nbytes()
        assert last <= held, f'a tensor up to byte {last} of {held}'
    bytes_of_it = value.untyped_storage()
    if bytes_of_it.nbytes():
        bytes_of_it[bytes_of_it.nbytes() - 1]
    if value.numel() <= _LARGEST:
        value.detach().clone()
    assert isinstance(
        vars(value) if hasattr(value, '__dict__') else {}, collections.abc.Mapping
    )
