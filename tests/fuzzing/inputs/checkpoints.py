"""Real checkpoints with damage, and the formats beside torch's zip."""

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

from . import pickles
from .mutations import damaged, write
from .valid import BYTES


def damaged_zips(random, folder):
    """A checkpoint of mmengine, with damaged bytes anywhere."""
    data = damaged(random, BYTES[random.choice(('zip', 'bfloat16'))])
    return write(folder, 'epoch_1.pth', data)


def damaged_entries(random, folder):
    """A checkpoint of mmengine of which one entry is damaged, in a zip in order."""
    data = BYTES[random.choice(('zip', 'bfloat16'))]
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, 'w') as new:
        chosen = random.choice(old.namelist())
        if random.random() < 0.7:
            chosen = next(name for name in old.namelist() if name.endswith('data.pkl'))
        for name in old.namelist():
            content = old.read(name)
            if name == chosen:
                content = damaged(random, content, pickles.OPCODES)
            new.writestr(name, content, method)
    return write(folder, 'epoch_1.pth', buffer.getvalue())


def legacy(random, folder):
    """Files as before torch 1.6: pickles one after the other, then the numbers."""
    if random.random() < 0.5:
        return write(
            folder, 'old.pth', damaged(random, BYTES['legacy'], pickles.OPCODES)
        )
    numel = random.choice((4, 4, 4, 10**6, 2**34, 2**62, -1))
    storage = (
        b'('
        + pickles.string('storage')
        + pickles.name('torch', 'FloatStorage')
        + pickles.string('0')
        + pickles.string('cpu')
        + pickles.integer(numel)
        + _view(random)
        + b'tQ'
    )
    tensor = pickles.tensor(random)
    root = b'}' + pickles.string('weight')
    at = tensor.find(b'(', 1) + 1
    end = tensor.find(b'Q', at) + 1
    root += tensor[:at] + storage + tensor[end:] + b's'
    keys = random.choice(
        (['0'], ['0'], ['0'], [], ['0', '0'], ['1'], [0], '0', 5, ['0'] * 999)
    )
    count = random.choice((numel, 4, 4, -1, 0, 2**40))
    parts = [
        pickle.dumps(pickles.MAGIC if random.random() < 0.95 else 5, 2),
        pickle.dumps(1001 if random.random() < 0.95 else 'x', 2),
        pickle.dumps(dict(little_endian=True), 2),
        pickles.program(random, root)
        if random.random() < 0.2
        else b'\x80\x02' + root + b'.',
        pickle.dumps(keys, 2),
        struct.pack('<Q', count % 2**64),
        bytes(random.choice((16, 16, 0, 8, 100))),
    ]
    return write(folder, 'old.pth', b''.join(parts))


def _view(random):
    if random.random() < 0.6:
        return b'N'
    numbers = [random.choice((0, 1, 4, -1, 2**40, 2**62)) for _ in range(2)]
    return (
        b'(' + pickles.string('view') + b''.join(map(pickles.integer, numbers)) + b't'
    )


def tars(random, folder):
    """Tar archives as before torch 0.1.10, with links, devices and foreign names."""
    buffer = io.BytesIO()
    kinds = (tarfile.REGTYPE,) * 4 + (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
    )
    kinds += (tarfile.CHRTYPE, tarfile.DIRTYPE)
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as archive:
        for name in ('storages', 'tensors', 'pickle', '../../evil', '/tmp/evil'):
            if random.random() < 0.2:
                continue
            entry = tarfile.TarInfo(name)
            entry.type = random.choice(kinds)
            entry.linkname = random.choice(('/etc/passwd', '../evil', 'storages'))
            entry.devmajor, entry.devminor = 1, 5  # /dev/zero
            content = _tar_content(random, name)
            entry.size = len(content) if entry.isreg() else 0
            archive.addfile(entry, io.BytesIO(content))
    data = buffer.getvalue()
    return write(
        folder, 'old.tar', damaged(random, data) if random.random() < 0.3 else data
    )


def _tar_content(random, name):
    if name == 'storages':
        count = random.choice((0, 1, 1, 10**9, 'x'))
        key = (
            pickles.string('0')
            + pickles.string('cpu')
            + pickles.name('torch', 'FloatStorage')
        )
        size = random.choice((4, 2**40, -1))
        return (
            pickle.dumps(count, 2)
            + b'\x80\x02'
            + key
            + b'\x87.'
            + struct.pack('<q', size)
            + bytes(16)
            + pickle.dumps([], 2)
        )
    if name == 'tensors':
        size = random.choice((4, 10**6, -1))
        return (
            pickle.dumps(1, 2)
            + pickle.dumps(('0', '0', None), 2)
            + struct.pack('<iiqqq', random.choice((1, 10**9)), 0, size, 1, 0)
        )
    return pickles.program(random)


def safetensors(random, folder):
    """Files of safetensors whose header lies, or is no JSON."""
    entry = dict(dtype='F32', shape=[2, 2], data_offsets=[0, 16])
    header = {'a.weight': entry, 'b': dict(entry, data_offsets=[16, 32])}
    for _ in range(random.randrange(3)):
        target = random.choice(list(header.values()))
        key = random.choice(('dtype', 'shape', 'data_offsets', 'more'))
        target[key] = random.choice(
            (
                *('F32', 'BF16', 'F8_E4M3', 'I128', 'BOOL', '', None, 1, {}, []),
                *([0, 16], [16, 0], [0, 2**62], [-1, 3], [2**63], [[1]], [1.5, 2]),
                *([2**32, 2**32], [0], ['a']),
            )
        )
    if random.random() < 0.1:
        header['__metadata__'] = random.choice(({'a': 1}, 'x', {'format': 'pt'}, []))
    text = json.dumps(header).encode()
    if random.random() < 0.3:
        text = damaged(random, text)
    size = len(text) if random.random() < 0.8 else random.choice((0, 2**40, 2**64 - 1))
    data = struct.pack('<Q', size) + text + bytes(random.choice((32, 32, 0, 31, 100)))
    if random.random() < 0.1:
        data = random.choice((b'', b'{', BYTES['zip'], b'\x80\x02N.'))
    return write(folder, 'model.safetensors', data)


def special_files(random, folder):
    """What is no file of bytes: folders, pipes, devices, links to themselves."""
    end = random.choice(('.pth', '.safetensors'))
    path = f'{folder}/checkpoint{end}'
    kind = random.randrange(7)
    if kind == 0:
        return write(folder, f'checkpoint{end}', b'')
    if kind == 1:
        os.mkdir(path)
    elif kind == 2:
        os.mkfifo(path)
    elif kind == 3:
        os.symlink(random.choice(('/dev/zero', '/dev/urandom', '/dev/null')), path)
    elif kind == 4:
        os.symlink(path, path)
    elif kind == 5:
        with open(path, 'wb') as file:  # without a block of the disk
            file.truncate(random.choice((2**27, 2**40)))
    else:
        return f'{folder}/missing\n{end}'
    return path
