"""Folders of work, and lists of images, in disorder."""

import io
import os

import numpy as np

from . import pickles
from .archives import archive
from .mutations import damaged, write
from .valid import BYTES


def work_dirs(random, folder):
    """A folder with ``last_checkpoint`` and checkpoints, of which few are in order."""
    pointers = (
        f'{folder}/epoch_1.pth',
        'epoch_1.pth',
        folder,
        '/dev/zero',
        '',
        '\0',
        '..',
    )
    pointers += ('x' * 300, 'x' * 5000, '/' * 9000, f'{folder}/last_checkpoint', 'a\nb')
    pointer = random.choice(pointers).encode()
    kind = random.randrange(6)
    if kind == 0:
        os.mkdir(f'{folder}/last_checkpoint')
    elif kind == 1:
        os.symlink('last_checkpoint', f'{folder}/last_checkpoint')
    elif kind == 2:
        os.mkfifo(f'{folder}/last_checkpoint')
    else:
        pointer = damaged(random, pointer) if pointer and kind == 3 else pointer
        write(folder, 'last_checkpoint', pointer)
    for i in range(random.randrange(1, 4)):
        _checkpoint(random, folder, f'epoch_{i}.pth')
    return f'{folder}/last_checkpoint'


def _checkpoint(random, folder, name):
    path = f'{folder}/{name}'
    kind = random.randrange(8)
    if kind == 0:
        os.mkdir(path)
    elif kind == 1:
        os.symlink(
            random.choice((name, 'nowhere', '/dev/zero', '.', 'last_checkpoint')), path
        )
    elif kind == 2:
        os.mkfifo(path)
    elif kind == 3:
        write(folder, name, damaged(random, BYTES['zip']))
    elif kind == 4:
        numbers = (1, -1, 1.5, None, 'x', 10**30, float('nan'), [], b'x', True)
        from .valid import as_bytes

        meta = dict(epoch=random.choice(numbers), iter=random.choice(numbers))
        write(folder, name, as_bytes(dict(meta=meta)))
    elif kind == 5:
        root = pickles.value(random, 3)
        write(folder, name, archive(random, b'\x80\x02' + root + b'.'))
    else:
        write(folder, name, BYTES['zip'])


def image_lists(random, folder):
    """A folder of classes with the list that the package keeps of it, damaged."""
    os.makedirs(f'{folder}/data/a')
    write(folder, 'data/a/x.jpg', b'')
    buffer = io.BytesIO()
    arrays = dict(
        classes=np.array(['a']),
        modified=np.array([os.stat(f'{folder}/data/a').st_mtime_ns]),
        labels=np.array([random.choice((0, 0, 5, -1))]),
        names=np.array(
            random.choice(([b'x.jpg'], [b'../x.jpg'], [b'x', b'y'], [['a']]))
        ),
    )
    if random.random() < 0.4:
        wrong = (np.array(1), np.array([1.5]), np.array([None]), np.array([['a']]))
        arrays[random.choice(list(arrays))] = random.choice(wrong)
    save = np.savez if random.random() < 0.7 else np.savez_compressed
    save(buffer, **arrays)
    data = buffer.getvalue()
    if random.random() < 0.7:
        data = damaged(random, data)
    write(folder, 'data/.mmdet_eca_index.npz', data)
    return f'{folder}/data'
