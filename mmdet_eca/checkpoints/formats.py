"""Reads the two formats that ``torch.save`` writes, or wrote before torch 1.6.

Sizes and places in a file are compared with what the file has, and nothing of it is
written anywhere.
"""

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import torch

from .rebuilding import Budget, Storage, StorageType
from .unpickling import Unpickler

MapLocation = None | str | torch.device | dict | Callable
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001  # of files before torch 1.6
_PIECE = 2**22  # bytes that are expanded at once


def load(file: BinaryIO, map_location: MapLocation) -> Any:
    """Loads what ``torch.save`` has written, without running code in it.

    Args:
        file (BinaryIO): The open file.
        map_location: As in ``torch.load``.

    Raises:
        Exception: Of many kinds, if the file is not whole; with 'GLOBAL <name>' in its
            message if it asks for a class or function that is not allowed.
    """
    start = file.tell()
    size = file.seek(0, 2)
    file.seek(start)
    is_zip = file.read(4) == b'PK\x03\x04'
    file.seek(start)
    restore = torch.serialization._get_restore_location(map_location)
    return (_Archive if is_zip else _Sequence)(file, size, restore).load()


class _Sequence:
    """Pickles one after the other, and then the numbers.

    Args:
        file (BinaryIO): The open file.
        size (int): Its size in bytes.
        restore (Callable): Moves a storage to a device.
    """

    def __init__(self, file: BinaryIO, size: int, restore: Callable) -> None:
        self.file, self.size, self.restore = file, size, restore
        self.budget = Budget(size)
        self.held = 0
        # The numbers as they are read, and where they belong.
        self.storages: dict[str, tuple[torch.Tensor, Storage]] = {}
        self.views: dict[Any, Storage] = {}

    def load(self) -> Any:
        """Returns what is in the file."""
        if (self._unpickle(), self._unpickle()) != (_MAGIC, _VERSION):
            raise ValueError('no file of torch')
        self._unpickle()  # of the machine that wrote it
        content = self._unpickle()
        keys = self._unpickle()
        if type(keys) is not list or set(keys) != set(self.storages):
            raise ValueError('storages without numbers')
        for key in dict.fromkeys(keys):
            self._fill(*self.storages[key])
        return content

    def _unpickle(self) -> Any:
        return Unpickler(self.file, self.size, self._storage).load()

    def _storage(self, identifier: Any) -> Storage:
        _, kind, key, location, count, view = _checked(identifier, 6)
        if key not in self.storages:
            size = self.budget.spend(count * _element_size(kind))
            self.held += size
            if self.held > self.size:
                raise ValueError(f'{self.held} bytes in a file of {self.size}')
            numbers = torch.empty(size, dtype=torch.uint8)
            untyped = self.restore(numbers.untyped_storage(), location)
            self.storages[key] = numbers, Storage(untyped, kind.dtype, self.budget)
        numbers, storage = self.storages[key]
        if view is None:
            return storage
        name, offset, count = view
        width = _element_size(kind)
        if not 0 <= offset * width <= (offset + count) * width <= len(numbers):
            raise ValueError(f'{view} in a storage of {len(numbers)} bytes')
        if name not in self.views:
            part = storage.untyped[offset * width : (offset + count) * width]
            self.views[name] = Storage(part, kind.dtype, self.budget)
        return self.views[name]

    def _fill(self, numbers: torch.Tensor, storage: Storage) -> None:
        width = torch.empty(0, dtype=storage.dtype).element_size()
        (count,) = struct.unpack('<q', self.file.read(8))
        if count * width != len(numbers):
            raise ValueError(f'{count} numbers for {len(numbers)} bytes')
        _read_into(self.file, numbers)
        if storage.untyped.device.type == 'cpu':
            if storage.untyped.data_ptr() != numbers.data_ptr():
                storage.untyped.copy_(numbers.untyped_storage())
        elif storage.untyped.device.type != 'meta':
            storage.untyped.copy_(numbers.untyped_storage())


class _Archive:
    """A zip archive of a pickle and a file for each storage; as :class:`_Sequence`."""

    def __init__(self, file: BinaryIO, size: int, restore: Callable) -> None:
        self.file, self.size, self.restore = file, size, restore
        self.budget = Budget(size)
        self.archive = zipfile.ZipFile(file)
        self.entries = {entry.filename: entry for entry in self.archive.infolist()}
        if len(self.entries) < len(self.archive.infolist()):
            raise ValueError('names that stand twice')
        self.top = next(iter(self.entries)).partition('/')[0]
        self.storages: dict[str, Storage] = {}

    def load(self) -> Any:
        """Returns what is in the file."""
        if f'{self.top}/constants.pkl' in self.entries:
            raise ValueError('TorchScript archives are programs')
        order = f'{self.top}/byteorder'
        self.is_swapped = False
        if order in self.entries:
            name = self._read(order).numpy().tobytes().decode()
            if name not in ('little', 'big'):
                raise ValueError(f'numbers in the order {name!r}')
            self.is_swapped = name != sys.byteorder
        data = self._read(f'{self.top}/data.pkl').numpy().data
        return Unpickler(io.BytesIO(data), len(data), self._storage).load()

    def _storage(self, identifier: Any) -> Storage:
        _, kind, key, location, count = _checked(identifier, 5)
        if key not in self.storages:
            numbers = self._read(f'{self.top}/data/{key}')
            if count * _element_size(kind) != len(numbers):
                raise ValueError(f'{count} numbers in {len(numbers)} bytes')
            untyped = numbers.untyped_storage()
            if self.is_swapped:
                untyped.byteswap(kind.dtype)
            untyped = self.restore(untyped, location)
            self.storages[key] = Storage(untyped, kind.dtype, self.budget)
        found = self.storages[key]
        return Storage(found.untyped, kind.dtype, self.budget)

    def _read(self, name: str) -> torch.Tensor:
        """Returns the bytes of an entry.

        Raises:
            ValueError: If it does not lie in the file, expands beyond the limit, or is
                damaged.
        """
        entry = self.entries[name]
        numbers = torch.empty(self.budget.spend(entry.file_size), dtype=torch.uint8)
        # It compares the names and flags, and knows zip64.
        with self.archive.open(entry) as expanded:
            if entry.compress_type == zipfile.ZIP_STORED:
                self._read_stored(entry, numbers)
                return numbers
            if entry.compress_type != zipfile.ZIP_DEFLATED:
                raise ValueError(f'{name} is compressed by a method of its own')
            view, done = numbers.numpy().data, 0
            while done < len(view):
                piece = expanded.read(min(_PIECE, len(view) - done))
                if not piece:
                    raise EOFError(f'{name} ends after {done} bytes')
                view[done : done + len(piece)] = piece
                done += len(piece)
            if expanded.read(1):  # compares the checksum at the end
                raise ValueError(f'{name} is longer than it says')
        return numbers

    def _read_stored(self, entry: zipfile.ZipInfo, numbers: torch.Tensor) -> None:
        """Without zipfile's copies: most of a checkpoint is stored so."""
        self.file.seek(entry.header_offset)
        header = self.file.read(30)  # its last numbers: lengths of name and extra field
        start = entry.header_offset + 30 + sum(struct.unpack('<HH', header[26:30]))
        if start + len(numbers) > self.size:
            raise EOFError(f'{entry.filename} is cut off')
        self.file.seek(start)
        _read_into(self.file, numbers)
        if zlib.crc32(numbers.numpy().data) != entry.CRC:
            raise ValueError(f'{entry.filename} is damaged')


def _checked(identifier: Any, length: int) -> tuple:
    """Returns a storage's identifier, if it is one."""
    kind, storage_type, key, location, count = identifier[:5]
    if (
        type(identifier) is not tuple
        or len(identifier) != length
        or kind not in ('storage', b'storage')
        or not isinstance(storage_type, StorageType)
        or (type(key), type(location), type(count)) != (str, str, int)
    ):
        raise ValueError(f'no storage: {kind!r}')
    return identifier


def _element_size(kind: StorageType) -> int:
    return torch.empty(0, dtype=kind.dtype).element_size()


def _read_into(file: BinaryIO, numbers: torch.Tensor) -> None:
    view, done = numbers.numpy().data, 0
    while done < len(view):
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError('the file is cut off')
        done += count
