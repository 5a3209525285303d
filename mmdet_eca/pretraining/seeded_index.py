import operator
from functools import total_ordering
from typing import Any, Callable

import numpy as np


def _seeding(operation: Callable) -> Callable:
    """Returns a method that seeds NumPy and does the operation with the number."""
    return lambda self, *others: operation(operator.index(self), *others)


@total_ordering
class SeededIndex:
    """The index of an image, which seeds NumPy when it is used.

    A sampler passes it to a data set in place of a number. Wrappers such as
    ConcatDataset and ClassBalancedDataset compute with it, or look another index up
    with it, and pass a number on; by then NumPy is seeded. torch and mmengine seed a
    worker once, when it starts, and give a data set no way to know the epoch.

    Args:
        index (int): The number.
        seed (tuple[int, ...]): Numbers that the seed depends on.
    """

    def __init__(self, index: int, seed: tuple[int, ...]) -> None:
        self.index = index
        self.seed = seed

    def __index__(self) -> int:
        """Seeds NumPy and returns the number."""
        # The hash, since seeding with a tuple takes four times as long.
        np.random.seed(hash(self.seed) % 2**32)
        return self.index

    def __eq__(self, other: Any) -> bool:
        return self.index == other

    def __lt__(self, other: Any) -> bool:
        return self.index < other

    def __hash__(self) -> int:
        return hash(self.index)

    __add__ = __radd__ = _seeding(operator.add)
    __mul__ = __rmul__ = _seeding(operator.mul)
    __sub__ = _seeding(operator.sub)
    __rsub__ = _seeding(lambda number, other: other - number)
    __mod__ = _seeding(operator.mod)
    __floordiv__ = _seeding(operator.floordiv)
    __divmod__ = _seeding(divmod)
    __neg__ = _seeding(operator.neg)
