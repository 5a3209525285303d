"""Unpickles what torch and mmengine put into checkpoints, and nothing else.

``torch.load(weights_only=True)`` accepts mmengine's checkpoints only if numpy's types
are declared safe, which they are not: a file that sets the state of a dtype makes numpy
take its bytes for addresses. torch before 2.6 reads beyond the end of a storage whose
size the file gives wrongly, and all versions allocate what a file asks for. Here each
name in a pickle stands for a function of ``rebuilding/``, which checks what it gets.
"""

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

from .rebuilding import CALLABLE, NAMES, check_key, set_state

_PythonUnpickler: Any = pickle._Unpickler  # which has no types


class Unpickler(_PythonUnpickler):
    """Knows the opcodes that torch.save writes, and the names that checkpoints need.

    The base is Python's unpickler and not that in C, which sets attributes of
    anything that a pickle names, such as a class or a function.

    Args:
        file (BinaryIO): The open file.
        size (int): Of the file in bytes: no value is longer.
        persistent_load (Callable): Returns a storage.

    Raises:
        Exception: Of many kinds by ``load()``, if the pickle is not whole; an
            UnpicklingError with 'GLOBAL <name>' if it asks for a class or function that
            is not allowed.
    """

    def __init__(
        self, file: BinaryIO, size: int, persistent_load: Callable[[Any], Any]
    ) -> None:
        super().__init__(_Bounded(file, size))
        self.persistent_load = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        """Returns what stands for a class or function."""
        if module == '__builtin__':  # by torch.save's protocol
            module = 'builtins'
        if f'{module}.{name}' not in NAMES:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} was not an allowed global'
            )
        return NAMES[f'{module}.{name}']

    def load_reduce(self) -> None:
        """Calls a function."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not any(function is allowed for allowed in CALLABLE):
            raise pickle.UnpicklingError(f'{type(function)} is not to be called')
        self.stack[-1] = function(*arguments)

    def load_newobj(self) -> None:
        """Makes an object of a class, which has no state yet."""
        arguments, cls = self.stack.pop(), self.stack.pop()
        if arguments != () or cls is not NAMES[_HISTORY_BUFFER]:
            raise pickle.UnpicklingError(f'no object of {cls} is to be made')
        self.append(cls.__new__(cls))

    def load_build(self) -> None:
        """Gives an object its state."""
        state = self.stack.pop()
        set_state(self.stack[-1], state)

    def load_append(self) -> None:
        """Adds to a list."""
        value = self.stack.pop()
        self._last(list).append(value)

    def load_appends(self) -> None:
        """Adds some to a list."""
        values = self.pop_mark()
        self._last(list).extend(values)

    def load_setitem(self) -> None:
        """Adds to a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self._last(dict)[check_key(key)] = value

    def load_setitems(self) -> None:
        """Adds some to a dict."""
        pairs = self.pop_mark()
        target = self._last(dict)
        for key, value in zip(pairs[::2], pairs[1::2]):
            target[check_key(key)] = value

    def _last(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise pickle.UnpicklingError(f'{type(self.stack[-1])} is no {kind}')
        return self.stack[-1]

    dispatch = {
        opcode[0]: _PythonUnpickler.dispatch[opcode[0]]
        for opcode in (
            *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.BINPERSID),
            *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
            *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1),
            *(pickle.BINUNICODE, pickle.SHORT_BINSTRING, pickle.TUPLE, pickle.TUPLE1),
            *(pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_TUPLE, pickle.EMPTY_LIST),
            *(pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.BINGET, pickle.LONG_BINGET),
            *(pickle.BINPUT, pickle.LONG_BINPUT),
        )
    }
    dispatch.update(
        {
            pickle.REDUCE[0]: load_reduce,
            pickle.NEWOBJ[0]: load_newobj,
            pickle.BUILD[0]: load_build,
            pickle.APPEND[0]: load_append,
            pickle.APPENDS[0]: load_appends,
            pickle.SETITEM[0]: load_setitem,
            pickle.SETITEMS[0]: load_setitems,
        }
    )


_HISTORY_BUFFER = 'mmengine.logging.history_buffer.HistoryBuffer'


class _Bounded:
    """Reads no more at once than a file has, whatever length stands in it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._read, self._size = file.read, size
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        return self._read(min(count, self._size))
