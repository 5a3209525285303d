"""Times calls and writes down what came out, for every benchmark."""

import shlex
import statistics
import sys
from collections.abc import Sequence
from typing import Callable

import torch
from torch.utils.benchmark import timer

from ..visualization import markdown_table
from .devices import machine


def seconds(function: Callable) -> float:
    """Time of a call, with all that it started on the GPU."""
    start = timer()  # waits for the GPU
    function()
    return timer() - start


def spread(ratios: Sequence[float]) -> str:
    """The median and, of several, the smallest and the largest."""
    text = f'{statistics.median(ratios):.3f}'
    if len(ratios) > 1:
        text += f' ({min(ratios):.2f} to {max(ratios):.2f})'
    return text


def write_markdown(
    path: str, rows: list[list[str]], device: torch.device, left_columns: int = 1
) -> None:
    """Writes a table with the machine and the command that made it.

    Its first row is the header.
    """
    with open(path, 'w') as file:
        file.write(
            f'{markdown_table(rows, left_columns)}\n\n'
            f'{machine(device)}:\n\n'
            f'    {shlex.join(["python", *sys.argv])}\n'
        )
