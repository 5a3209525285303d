"""Images that a training set and its validation set have in common."""

import hashlib
import os.path as osp

from tqdm import tqdm

from .coco_file import CocoFile

_PIECE = 2**20  # bytes that are hashed at once


def find_same_images(train: CocoFile, val: CocoFile) -> None:
    """Adds the images of the validation set that are in the training set, too.

    Only files of the same length are read: those are few.
    """
    sets = (train, val)
    lengths = [{file.bytes for file in data.files if file} - {0} for data in sets]
    common = lengths[0] & lengths[1]
    train_images, val_images = (
        [
            (data.file_names[i], osp.join(data.folder, data.file_names[i]), i)
            for i, file in enumerate(data.files)
            if file is not None and file.bytes in common
        ]
        for data in sets
    )
    total = len(train_images) + len(val_images)
    with tqdm(desc='comparing', total=total, delay=5, leave=False) as bar:
        known: dict[bytes, str] = {}
        for name, path, _ in train_images:
            known.setdefault(_hash(path), name)
            bar.update()
        same = []
        for name, path, i in val_images:
            if other := known.get(_hash(path)):
                same.append((i, f'{name} is {other} there'))
            bar.update()
    val.findings.add(
        'validation-in-training',
        [val.image_ids[i] for i, _ in same],
        len(val.file_names),
        [example for _, example in same[:3]],
    )


def _hash(path: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, 'rb') as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()
