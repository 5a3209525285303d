"""Reads the lists of a COCO annotation file without holding the file in memory."""

import json
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

from ..errors import UserError

_PIECE = 2**22  # characters that are read at once
_BEHIND = tuple(' \t\n\r,:]}')  # what may follow a value
_SPACE = re.compile(r'[ \t\n\r]*')


def iterate_lists(path: str) -> Iterator[tuple[str, Any]]:
    """Yields what the lists of a COCO file hold, one element after the other.

    ``json.load`` needs 3 GB of memory for COCO's 500 MB of training annotations, and a
    streaming parser in Python minutes. Here the parser in C of the json module reads
    one element at a time, and the memory is that of a piece of the file. After some
    seconds a progress bar appears.

    Args:
        path (str): A file of JSON, in UTF-8, whose outermost value is an object.

    Yields:
        tuple[str, Any]: The key and an element, such as ``('images', {...})``. Of a
        value that is no list, the key and that value.

    Raises:
        UserError: If the file does not exist, or is no such JSON.
    """
    with _pieces(path) as pieces:
        yield from _members(pieces)


def iterate_list(path: str, key: str, from_end: bool = False) -> Iterator[Any]:
    """Yields the elements of one list, without parsing what stands before it.

    Args:
        path (str): A file of JSON, in UTF-8.
        key (str): The list's key; the first that a list follows is taken.
        from_end (bool): Whether to take the last place of the key instead.

    Raises:
        UserError: If the file does not exist, or the list is no JSON.
    """
    with _pieces(path) as pieces:
        pieces.go_to(key, from_end)
        if pieces.next_character() == '[':
            yield from _elements(pieces)


@contextmanager
def _pieces(path: str) -> Iterator['_Pieces']:
    if not os.path.isfile(path):
        raise UserError(f'annotation file {path} does not exist: check its path')
    with (
        open(path, encoding='utf-8') as file,
        tqdm(
            desc=f'reading {os.path.basename(path)}',
            total=os.path.getsize(path),
            unit='B',
            unit_scale=True,
            delay=5,
            leave=False,
        ) as bar,
    ):
        try:
            yield _Pieces(file, bar)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f'{path} is not a COCO annotation file, or it is cut off or damaged: '
                f'{_reason(error)}'
            ) from None


def read_categories(path: str) -> list[str]:
    """Reads the names of the categories of a COCO annotation file.

    Finds the list from the end of the file, where COCO has it, in less than a
    millisecond.

    Raises:
        UserError: If the file does not exist, or has no such list.
    """
    if not os.path.isfile(path):
        raise UserError(f'annotation file {path} does not exist: check its path')
    with open(path, 'rb') as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
                key = text.rfind(b'"categories"')
                start = text.find(b'[', max(key, 0))
                if key >= 0 and start >= 0:
                    return [_name(c) for c in _read_list(text, start)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
    raise UserError(
        f'{path} is not a COCO annotation file: it has no list '
        '"categories" of ids and names'
    )


def _name(category: dict) -> str:
    if not isinstance(category['name'], str):
        raise TypeError(category['name'])
    return category['name']


def _read_list(text: mmap.mmap, start: int) -> list:
    """Parses the JSON list at ``start``, and reads on until it is whole."""
    size = _PIECE
    while True:
        piece = text[start : start + size].decode(errors='ignore')
        try:
            return json.JSONDecoder().raw_decode(piece)[0]
        except json.JSONDecodeError:
            if start + size >= len(text):
                raise
            size *= 4


class _Pieces:
    """A text that is parsed from its beginning while it is read.

    Args:
        file (TextIO): The open file.
        bar (tqdm): Counts the bytes that have been read.
    """

    def __init__(self, file: TextIO, bar: tqdm) -> None:
        self._file, self._bar = file, bar
        self._text, self._start = '', 0
        self._decoder = json.JSONDecoder()

    def next_character(self) -> str:
        """The next character that is no space, which stays; '' at the end."""
        while True:
            found = _SPACE.match(self._text, self._start)
            assert found is not None
            self._start = found.end()
            if self._start < len(self._text) or not self._read():
                return self._text[self._start : self._start + 1]

    def go_to(self, key: str, from_end: bool) -> None:
        """Goes to the list of this key, or to the end if there is none."""
        if not os.fstat(self._file.fileno()).st_size:
            return  # which mmap refuses
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            name = json.dumps(key).encode()
            pattern = re.compile(re.escape(name) + rb'\s*:\s*\[')
            if from_end:
                found = pattern.match(text, max(text.rfind(name), 0))
            else:
                found = pattern.search(text)
            self._file.seek(found.end() - 1 if found else len(text))
            del found  # which holds the map open

    def take(self, characters: str) -> str:
        """Takes the next character that is no space, which must be one of these."""
        character = self.next_character()
        if not character or character not in characters:
            found = f'{character!r} stands' if character else 'the file ends'
            expected = ' or '.join(map(repr, characters))
            raise ValueError(f'{found} where {expected} should stand')
        self._start += 1
        return character

    def take_value(self) -> Any:
        """Takes the next value of JSON, and reads on until it is whole."""
        self.next_character()
        while True:
            error: ValueError | None = None
            try:
                value, end = self._decoder.raw_decode(self._text, self._start)
            except ValueError as cut_off:
                error = cut_off
            # A number at the end of what has been read may go on: '1' as '1e3'.
            if (error or self._text[end : end + 1] not in _BEHIND) and self._read():
                continue
            if error:
                raise error
            self._start = end
            return value

    def _read(self) -> bool:
        """Reads another piece, twice as long as what is not yet parsed."""
        rest = self._text[self._start :]
        piece = self._file.read(max(_PIECE, len(rest)))
        self._bar.update(self._file.buffer.tell() - self._bar.n)
        self._text, self._start = rest + piece, 0
        return bool(piece)


def _members(pieces: _Pieces) -> Iterator[tuple[str, Any]]:
    pieces.take('{')
    separator = pieces.take('}') if pieces.next_character() == '}' else ','
    while separator == ',':
        key = pieces.take_value()
        if not isinstance(key, str):
            raise ValueError(f'{key!r} stands where a key should be')
        pieces.take(':')
        if pieces.next_character() == '[':
            for element in _elements(pieces):
                yield key, element
        else:
            yield key, pieces.take_value()
        separator = pieces.take(',}')
    if pieces.next_character():
        raise ValueError('something stands behind its end')


def _elements(pieces: _Pieces) -> Iterator[Any]:
    pieces.take('[')
    if pieces.next_character() == ']':
        pieces.take(']')
        return
    separator = ','
    while separator == ',':
        yield pieces.take_value()
        separator = pieces.take(',]')


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg  # without a place, which is one in the piece
    if isinstance(error, RecursionError):
        return 'its lists are nested too deeply'
    return str(error)
