import operator
from functools import total_ordering
from typing import Any, Callable, Tuple

import numpy as np


def _of_the_number(operation: Callable) -> Callable:
    """The operation on the number, which seeds NumPy."""
    return lambda self, *others: operation(operator.index(self), *others)


@total_ordering
class SeededIndex:
    """The index of an image that seeds NumPy as soon as its number is taken.

    It goes in the place of a number into a data set. Wrappers like ConcatDataset
    and ClassBalancedDataset compute with an index, or look another one up with
    it, before the image is loaded: then the randomness is seeded already,
    whatever number the innermost data set gets.

    Args:
        index (int): The number.
        seed (tuple[int, ...]): What the randomness shall depend on.
    """

    def __init__(self, index: int, seed: Tuple[int, ...]) -> None:
        self.index = index
        self.seed = seed

    def __index__(self) -> int:
        """Returns the number and seeds NumPy."""
        # A number: a tuple takes four times as long.
        np.random.seed(hash(self.seed) % 2**32)
        return self.index

    def __eq__(self, other: Any) -> bool:
        return self.index == other

    def __lt__(self, other: Any) -> bool:
        return self.index < other

    def __hash__(self) -> int:
        return hash(self.index)

    __add__ = __radd__ = _of_the_number(operator.add)
    __mul__ = __rmul__ = _of_the_number(operator.mul)
    __sub__ = _of_the_number(operator.sub)
    __rsub__ = _of_the_number(lambda number, other: other - number)
    __mod__ = _of_the_number(operator.mod)
    __floordiv__ = _of_the_number(operator.floordiv)
    __divmod__ = _of_the_number(divmod)
    __neg__ = _of_the_number(operator.neg)
