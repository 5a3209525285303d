"""Images that a training set and its validation set have in common."""

import hashlib
import os.path as osp
from collections import defaultdict
from collections.abc import Sequence

from tqdm import tqdm

from .coco_file import CocoFile
from .findings import Findings

_PIECE = 2**20  # bytes that are hashed at once


def find_same_images(
    train: tuple[CocoFile, str, Sequence],
    val: tuple[CocoFile, str, Sequence],
    findings: Findings,
) -> None:
    """Adds the images of the validation set that are in the training set, too.

    Only files of the same length are read: those are few.

    Args:
        train (tuple): Annotation file, folder, and what is known of each image.
        val (tuple): The same.
        findings (Findings): Gets what is found.
    """
    lengths = [_by_length(files) for _, _, files in (train, val)]
    common = lengths[0].keys() & lengths[1].keys()
    hashes: list[dict[bytes, list[int]]] = []
    with tqdm(
        desc='comparing images',
        total=sum(len(places[length]) for places in lengths for length in common),
        delay=5,
        leave=False,
    ) as bar:
        for (data, folder, _), places in zip((train, val), lengths):
            found = defaultdict(list)
            for length in common:
                for i in places[length]:
                    digest = _hash(osp.join(folder, data.file_names[i]))
                    found[digest].append(i)
                    bar.update()
            hashes.append(found)
    same = [
        (hashes[0][digest][0], i)
        for digest, places in hashes[1].items()
        if digest in hashes[0]
        for i in places
    ]
    findings.add(
        'validation-in-training',
        [val[0].image_ids[i] for _, i in same],
        len(val[0].file_names),
        [
            f'{val[0].file_names[i]} is {train[0].file_names[j]} there'
            for j, i in same[:3]
        ],
    )


def _by_length(files: Sequence) -> dict[int, list[int]]:
    places = defaultdict(list)
    for i, file in enumerate(files):
        if file is not None and file.bytes:
            places[file.bytes].append(i)
    return places


def _hash(path: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, 'rb') as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()
