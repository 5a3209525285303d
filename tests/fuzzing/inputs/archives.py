"""Zip archives as torch writes them, and what lies in them or about them."""

import io
import struct
import warnings
import zipfile
import zlib

from . import pickles
from .mutations import damaged, write
from .valid import BYTES

_FOREIGN = (
    '../../evil',
    '/etc/evil',
    'archive/../data.pkl',
    'archive/data/0',
    'x' * 5000,
)
_FOREIGN += ('archive/constants.pkl', 'archive/code/a.py', 'archive/.format_version')
_FOREIGN += ('archive/.storage_alignment', 'other/data.pkl', 'archive/data.pkl', 'x\0y')
_CLAIMS = (0, 1, 2**31 - 1, 2**32 - 1, 2**32 - 2, 2**40, 2**63, 2**64 - 1)


def archives(random, folder):
    """An archive with a pickle of chance and one storage."""
    root = random.choice((pickles.checkpoint, pickles.tensor))(random)
    data = (
        b'\x80\x02' + root + b'.' if random.random() < 0.8 else pickles.program(random)
    )
    return write(folder, 'checkpoint.pth', archive(random, data))


def storages(random, folder):
    """An archive whose tensors are in order but for their storage."""
    numel = random.choice((None, 4, 4, 5, 10**6, 2**31, 2**62))
    root = b'}(' + pickles.string('state_dict') + b'}' + pickles.string('weight')
    root += pickles.tensor(random, numel) + b'su'
    return write(folder, 'checkpoint.pth', archive(random, b'\x80\x02' + root + b'.'))


def archive(random, data, entry=None):
    """Returns a zip archive of ``data.pkl`` and the storage '0', four floats."""
    top = random.choice(('archive',) * 20 + ('a/b', '', '..'))
    methods = random.choice(((0,),) * 12 + ((8,),) * 3 + ((0, 8, 12, 14),))
    orders = (b'little',) * 30 + (b'big',) * 4 + (b'x', b'\xff')
    versions = (b'3\n',) * 30 + (b'', b'x', b'999999999999')
    files = {
        f'{top}/data.pkl': data,
        f'{top}/byteorder': random.choice(orders),
        f'{top}/data/0': struct.pack('<4f', 1, 2, 3, 4) if entry is None else entry,
        f'{top}/version': random.choice(versions),
    }
    for name in list(files):
        if random.random() < 0.01:
            del files[name]
    names = list(files.items())
    if random.random() < 0.15:
        names.append((random.choice(_FOREIGN), random.choice((data, b'9' * 30, b'-1'))))
    if random.random() < 0.1:
        random.shuffle(names)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, 'w') as file:
        warnings.simplefilter('ignore')  # of names that stand twice
        for name, content in names:
            file.writestr(name, content, random.choice(methods))
        if random.random() < 0.05:
            file.comment = random.choice((b'x' * 60000, b'PK\x05\x06' + bytes(18)))
    written = buffer.getvalue()
    if random.random() < 0.2:
        written = _with_claims(random, written)
    if random.random() < 0.1:
        written = damaged(random, written)
    return written


def _with_claims(random, data):
    """Replaces sizes, offsets, checksums or methods in the zip's own headers."""
    data = bytearray(data)
    kind = random.choice((b'PK\x03\x04', b'PK\x01\x02', b'PK\x01\x02', b'PK\x05\x06'))
    places = [i for i in range(len(data)) if data[i : i + 4] == kind]
    if not places:
        return bytes(data)
    at = random.choice(places)
    # Their places are in section 4.3 of PKWARE's APPNOTE.
    fields = {
        b'PK\x03\x04': ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
        b'PK\x01\x02': ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)),
        b'PK\x05\x06': ((8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
    }[kind]
    for _ in range(random.choice((1, 1, 2, 3))):
        offset, size = random.choice(fields)
        number = random.choice((*_CLAIMS, 8, 12, random.randrange(len(data) + 1)))
        data[at + offset : at + offset + size] = (number % 256**size).to_bytes(
            size, 'little'
        )
    return bytes(data)


def zip64(random, folder):
    """Archives with the headers of zip64, which may claim 2**64 bytes."""
    data = bytearray(archive(random, BYTES['pickle']))
    end = data.rfind(b'PK\x05\x06')
    if end < 0 or end + 20 > len(data):  # damaged
        return write(folder, 'checkpoint.pth', bytes(data))
    count, size, start = struct.unpack('<HII', data[end + 10 : end + 20])
    numbers = [count, count, size, start]
    if random.random() < 0.7:
        numbers[random.randrange(4)] = random.choice(_CLAIMS)
    record = struct.pack('<4sQHHIIQQQQ', b'PK\x06\x06', 44, 45, 45, 0, 0, *numbers)
    place = end if random.random() < 0.8 else random.choice(_CLAIMS)
    locator = struct.pack('<4sIQI', b'PK\x06\x07', 0, place, 1)
    tail = struct.pack(
        '<4sHHHHIIH', b'PK\x05\x06', 0, 0, 2**16 - 1, 2**16 - 1, *[2**32 - 1] * 2, 0
    )
    extra = bytes(data[:end]) + record + locator + tail
    return write(folder, 'checkpoint.pth', extra)


def zip_bombs(random, folder):
    """Archives of kilobytes that expand to gigabytes."""
    which = random.randrange(3)
    megabytes = random.choice((1, 300, 1500, 4000))
    numel = megabytes * 2**18
    root = b'}' + pickles.string('a') + pickles.tensor(random, numel) + b's'
    files = {'data.pkl': b'\x80\x02' + root + b'.', 'data/0': b'x', 'version': b'3\n'}
    bomb = ('data/0', 'data.pkl', 'byteorder')[which]
    files[bomb] = b''
    return write(folder, 'checkpoint.pth', _expanding(files, bomb, megabytes))


def _expanding(files, bomb, megabytes):
    """A zip in which one of the files consists of that many megabytes of zeros.

    Each is compressed alone, so that one of them, repeated, is all of them.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(2**20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    content, central = b'', b''
    for name, plain in files.items():
        stored, size, method = plain, len(plain), 0
        if name == bomb:
            stored = block * megabytes + compressor.flush()
            size, method = megabytes * 2**20, 8
        name = f'archive/{name}'.encode()
        head = struct.pack(
            '<HHHHHIIIHH',
            *(20, 0, method, 0, 0, zlib.crc32(plain), len(stored), size % 2**32),
            *(len(name), 0),
        )
        central += b'PK\x01\x02' + struct.pack('<H', 20) + head
        central += struct.pack('<HHHII', 0, 0, 0, 0, len(content)) + name
        content += b'PK\x03\x04' + head + name + stored
    end = struct.pack(
        '<4sHHHHIIH',
        *(b'PK\x05\x06', 0, 0, len(files), len(files), len(central), len(content), 0),
    )
    return content + central + end


def nested(random, folder):
    """Archives in archives, and what torch calls a program."""
    inner = archive(random, BYTES['pickle'])
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, 'w') as file:
        name = random.choice(('archive/data.pkl', 'a.zip', 'archive/constants.pkl'))
        file.writestr(name, inner, random.choice((0, 8)))
    data = outer.getvalue()
    if random.random() < 0.3:
        data = random.choice((b'#!/bin/sh\n', b'GIF89a', inner)) + data
    return write(folder, 'checkpoint.pth', data)
