"""Sets some of a file's images aside for validation."""

import json
from collections.abc import Hashable
from typing import Any, TextIO

import numpy as np

from ..datasets import CocoFile, iterate_lists
from ..errors import UserError

SHARE = 0.1
MOST = 5000  # as many as COCO's validation set has


def choose_validation(data: CocoFile) -> set[Hashable]:
    """Chooses images for validation: a tenth, at most 5,000, the same at each call.

    Args:
        data (CocoFile): All images.

    Returns:
        set: Their ids; all of them have objects.

    Raises:
        UserError: If there are not two images with objects.
    """
    with_objects = np.unique(data.images[data.is_used])
    if len(with_objects) < 2:
        raise UserError(
            f'{data.path} has objects in one image only, which cannot be split: give '
            '--val ANNOTATIONS IMAGES'
        )
    count = min(max(1, round(SHARE * len(with_objects))), MOST)
    chosen = np.random.default_rng(0).choice(with_objects, count, replace=False)
    return {data.image_ids[i] for i in chosen}


def split_file(path: str, chosen: set[Hashable], train: str, val: str) -> None:
    """Writes a COCO annotation file as two, entry by entry.

    Args:
        path (str): The file.
        chosen (set): Ids of the images for the second.
        train (str): The first file to write, of the other images.
        val (str): The second.
    """
    parts = _Writer(train), _Writer(val)
    try:
        for key, value in iterate_lists(path):
            if key == 'images':
                parts[value['id'] in chosen].add(key, value)
            elif key == 'annotations':
                parts[value['image_id'] in chosen].add(key, value)
            elif key == 'categories':
                for part in parts:
                    part.add(key, value)
    finally:
        for part in parts:
            part.end()


class _Writer:
    """Writes an object of lists, element by element."""

    def __init__(self, path: str) -> None:
        self._file: TextIO = open(path, 'w', encoding='utf-8')  # noqa: SIM115
        self._key = ''
        self._file.write('{')

    def add(self, key: str, value: Any) -> None:
        if key == self._key:
            self._file.write(',\n')
        else:
            self._file.write(f'{"], " * bool(self._key)}{json.dumps(key)}: [\n')
            self._key = key
        self._file.write(json.dumps(value))  # json.dump is many times slower

    def end(self) -> None:
        self._file.write(']}' if self._key else '}')
        self._file.close()
