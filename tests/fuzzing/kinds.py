"""The kinds of hostile input: who makes it, and which readers get it."""

from collections.abc import Callable
from typing import NamedTuple

from tests.fuzzing import readers
from tests.fuzzing.inputs import (
    annotations,
    archives,
    checkpoints,
    folders,
    images,
    pickles,
    state_dicts,
)


class Kind(NamedTuple):
    """``make(random, folder)`` returns a path, ``read(path)`` reads it."""

    make: Callable
    read: Callable


_CHECKPOINTS = {
    'pickle: opcodes': pickles.opcodes,
    'pickle: noise': pickles.noise,
    'pickle: bombs': pickles.bombs,
    'zip: pickles': archives.archives,
    'zip: storages': archives.storages,
    'zip: zip64': archives.zip64,
    'zip: nested': archives.nested,
    'zip: bombs': archives.zip_bombs,
    'checkpoint: damaged': checkpoints.damaged_zips,
    'checkpoint: damaged entries': checkpoints.damaged_entries,
    'checkpoint: before torch 1.6': checkpoints.legacy,
    'checkpoint: tar': checkpoints.tars,
    'safetensors': checkpoints.safetensors,
    'special files': checkpoints.special_files,
}
_OTHERS = {
    'state dict, converted': Kind(state_dicts.state_dicts, readers.conversion),
    'state dict, with attention': Kind(state_dicts.state_dicts, readers.attention),
    'zip: pickles, converted': Kind(archives.archives, readers.conversion),
    'special files, converted': Kind(checkpoints.special_files, readers.conversion),
    'weights: damaged': Kind(checkpoints.damaged_entries, readers.weights),
    'image, pretraining': Kind(images.images, readers.pretraining_image),
    'image, predicted': Kind(images.images, readers.predicted_image),
    'image, checked': Kind(images.images, readers.checked_image),
    'large image, pretraining': Kind(images.large_images, readers.pretraining_image),
    'large image, predicted': Kind(images.large_images, readers.predicted_image),
    'large image, checked': Kind(images.large_images, readers.checked_image),
    'special files, as image': Kind(
        checkpoints.special_files, readers.pretraining_image
    ),
    'annotations': Kind(annotations.annotations, readers.annotations),
    'annotations: lists': Kind(annotations.annotations, readers.annotation_lists),
    'annotations: categories': Kind(annotations.annotations, readers.categories),
    'annotations: depths': Kind(annotations.depths, readers.annotations),
    'categories: depths': Kind(annotations.depths, readers.categories),
    'special files, as annotations': Kind(
        checkpoints.special_files, readers.annotations
    ),
    'special files, as categories': Kind(checkpoints.special_files, readers.categories),
    'work dir': Kind(folders.work_dirs, readers.newest_checkpoint),
    'list of images': Kind(folders.image_lists, readers.image_list),
}
KINDS = {
    **{name: Kind(make, readers.checkpoint) for name, make in _CHECKPOINTS.items()},
    **_OTHERS,
}
# Seconds of work each, so they get their turn less often.
RARE = {name for name in KINDS if 'bombs' in name or 'depths' in name}
