"""Times calls and writes down what came out, for every benchmark."""

import json
import os
import os.path as osp
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.benchmark import timer
from tqdm import tqdm

from ..errors import UserError
from ..training.machine import machine
from ..visualization import markdown_table


def seconds(function: Callable) -> float:
    """Time of a call, with all that it started on the GPU."""
    start = timer()  # waits for the GPU
    function()
    return timer() - start


def paired_seconds(
    runs: dict[str, Callable], rounds: int, after: Callable[[str], Any]
) -> dict[str, list[float]]:
    """Times the calls in turn, round after round, so that each meets the same machine.

    Args:
        runs (dict): The calls by name.
        rounds (int): Number of calls; one more, which is not in the result, warms up.
        after (Callable): Is told the name of each call when it has ended.

    Returns:
        dict[str, list[float]]: Seconds by name, one a round.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            times[name].append(seconds(run))
            after(name)
    return {name: values[1:] for name, values in times.items()}


def progress_bar(total: int) -> tqdm:
    """A bar with the time that is left, for calls of unequal length.

    Args:
        total (int): The work of all calls, in any unit.
    """
    return tqdm(
        total=total,
        bar_format='{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left: {desc}',
    )


def choose_device(name: str | None) -> torch.device:
    """The device of this name; of None, the GPU if torch sees one, else the CPU.

    Raises:
        UserError: If it is neither, or torch sees no such GPU.
    """
    gpus = torch.cuda.device_count()
    if name is None:
        name = 'cuda' if gpus else 'cpu'
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ('cpu', 'cuda'):
        raise UserError(f'device must be cpu, cuda or cuda:N, got {name!r}')
    if device.type == 'cuda' and (device.index or 0) >= gpus:
        raise UserError(f'device {name!r}: torch sees {gpus} GPUs here')
    if device.type == 'cuda':
        torch.cuda.set_device(device)  # the one that torch's timer waits for
    return device


def check_positive(**values: int) -> None:
    """Raises UserError if one of the values, by name, is below 1."""
    for name, value in values.items():
        if value < 1:
            raise UserError(f'{name} must be at least 1, got {value}')


def significant(value: float) -> str:
    """Three digits of a number, or all before the point."""
    return f'{value:.0f}' if value >= 100 else f'{value:#.3g}'


def spread(ratios: Sequence[float]) -> str:
    """The median and, of several, the smallest and the largest."""
    text = f'{statistics.median(ratios):.3f}'
    if len(ratios) > 1:
        text += f' ({min(ratios):.2f} to {max(ratios):.2f})'
    return text


def write_table(
    out: str,
    name: str,
    text: str,
    rows: list[list[str]],
    results: Any,
    device: torch.device,
    left_columns: int = 1,
) -> None:
    """Writes ``NAME.txt``, ``NAME.md`` and ``NAME.json``; replaces what was there.

    The Markdown file names the machine and the command too.

    Args:
        out (str): The folder to write into.
        name (str): Name of the benchmark.
        text (str): The table to read.
        rows (list[list[str]]): Its cells, the header first.
        results (Any): The content of the JSON file.
        device (torch.device): The device that they were measured on.
        left_columns (int): Columns of text, from the left; the others are numbers.
    """
    os.makedirs(out, exist_ok=True)
    with open(osp.join(out, f'{name}.txt'), 'w') as file:
        file.write(f'{text}\n')
    with open(osp.join(out, f'{name}.md'), 'w') as file:
        file.write(
            f'{markdown_table(rows, left_columns)}\n\n'
            f'{machine(device)}:\n\n'
            f'    {shlex.join(["python", *sys.argv])}\n'
        )
    with open(osp.join(out, f'{name}.json'), 'w') as file:
        json.dump(results, file, indent=2)
