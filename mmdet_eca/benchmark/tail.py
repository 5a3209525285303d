"""The two forms of the attention tail's backward pass, side by side."""

import os
import os.path as osp
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmengine.utils import ProgressBar

from ..ops.attention_tail import convolutions, products
from ..visualization import text_table
from .devices import choose_device
from .measuring import seconds, spread, write_markdown

# Of ResNet-50's stages: channels after the last convolution, stride.
STAGES = ((256, 4), (512, 8), (1024, 16), (2048, 32))
LAYOUTS = dict(
    channels_first=torch.contiguous_format, channels_last=torch.channels_last
)
HEADER = [
    'stage',
    'shape',
    'layout',
    'data type',
    'convolutions',
    'products',
    'products / convolutions',
]


def benchmark_tail(
    batch_size: int,
    size: tuple[int, int],
    rounds: int,
    out: str,
    device: str | None = None,
) -> str:
    """Times both forms for every stage of ResNet-50, layout and data type.

    Args:
        batch_size (int): Images in a batch.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Of every form; one more warms up.
        out (str): Folder for ``tail.md``.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the
            GPU if there is one. On it float16 is measured too.

    Returns:
        str: The table. Times are medians in milliseconds; ratios are medians of
        the rounds' ratios, with the smallest and the largest.

    Raises:
        UserError: If there is no such device.
    """
    place = choose_device(device)
    dtypes = [torch.float32]
    if place.type == 'cuda':
        dtypes.append(torch.float16)
    cases = [
        (stage, layout, dtype)
        for dtype in dtypes
        for layout in LAYOUTS
        for stage in range(len(STAGES))
    ]
    rows = [HEADER]
    progress = ProgressBar(len(cases), file=sys.stderr)
    for stage, layout, dtype in cases:
        channels, stride = STAGES[stage]
        shape = (batch_size, channels, *(-(-side // stride) for side in size))
        forms = _forms(shape, LAYOUTS[layout], dtype, place)
        rows.append(
            [
                str(stage + 1),
                'x'.join(map(str, shape)),
                layout,
                str(dtype).split('.')[1],
                *_compare(forms, rounds),
            ]
        )
        progress.update()
    print(file=sys.stderr)  # ends the line of the progress bar
    os.makedirs(out, exist_ok=True)
    write_markdown(osp.join(out, 'tail.md'), rows, place, left_columns=4)
    return text_table(rows, left_columns=4)


def _forms(
    shape: tuple[int, ...],
    layout: torch.memory_format,
    dtype: torch.dtype,
    device: torch.device,
) -> list[Callable]:
    """Both forms of a tail of this output, all gradients wanted."""
    n, channels, h, w = shape
    options: dict[str, Any] = dict(device=device, dtype=dtype)
    grad = torch.randn(shape, **options).contiguous(memory_format=layout)
    x = torch.randn(n, channels // 4, h, w, **options).contiguous(memory_format=layout)
    weights = torch.randn(n, channels, channels // 4, **options)
    return [
        partial(form, grad, x, weights, (True, True, True))
        for form in (convolutions, products)
    ]


def _compare(forms: list[Callable], rounds: int) -> list[str]:
    """The cells of the times of both forms and of their ratio."""
    times = [[seconds(form) for form in forms] for _ in range(rounds + 1)][1:]
    cells = [f'{1e3 * statistics.median(column):.3f} ms' for column in zip(*times)]
    return [*cells, spread([second / first for first, second in times])]
