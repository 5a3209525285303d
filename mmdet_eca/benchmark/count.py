"""Operations and bytes of a backbone on a GPU, counted without one.

The steps run on fake tensors, which have shapes and no values. Each of torch's
operators is one operation, and reads its inputs and writes its outputs once, except
that

- a convolution's backward pass is one operation for each gradient,
- cuDNN adds a convolution's bias in a pass of its own, and
- batch norm on the batch's statistics reads its maps twice.

Views are none. Autocast is that of bfloat16. What torch.compile fuses counts by the
kernels that it makes, see ``KERNELS``.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ..models.backbones.folded_blocks import FORMS
from ..ops import fused_norm_gate_add_relu
from ..visualization import text_table
from .measuring import check_positive, write_table
from .rows import build_row
from .steps import Batch, Step

# Forward and backward on stored statistics, then on the batch's, of the end of a block:
# the kernels in the code that inductor (torch 2.14, Triton 3.8) generates for an H200
# where the channels come first, of a gate without matrix products and of one with two.
KERNELS = {1: ((3, 7), (6, 7)), 2: ((5, 12), (9, 12))}
FROM_SCRATCH = '@backbone.norm_eval=False@backbone.frozen_stages=-1'
_FUSED: Any = sys.modules[fused_norm_gate_add_relu.__module__]
_aten = torch.ops.aten


def count_model(
    rows: Sequence[str], batch_size: int, size: tuple[int, int], out: str
) -> str:
    """Counts what the backbones of the rows do, as they run on CUDA by default.

    Three steps: fine-tuning as the config has it, inference of one image of the same
    size, and training from scratch of 64 images of 224x224; each in float32 and under
    autocast, forward and backward.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`.
        batch_size (int): Images in a step of fine-tuning.
        size (tuple[int]): Their height and width in pixels.
        out (str): Folder for ``count.txt``, ``count.md`` and ``count.json``.

    Returns:
        str: The table.

    Raises:
        UserError: If a row cannot be built, or a number is not positive.
    """
    check_positive(batch_size=batch_size, size=min(size))
    settings = {
        'fine-tuning': ('', (batch_size, 3, *size), True),
        'inference': ('', (1, 3, *size), False),
        'from scratch': (FROM_SCRATCH, (64, 3, 224, 224), True),
    }
    header = ['', '', *(f'{s}: {w}' for s in settings for w in ('operations', 'GB'))]
    results: dict[str, dict] = {}
    for amp in (None, torch.bfloat16):
        kind = 'float32' if amp is None else 'autocast'
        for row in rows:
            results[f'{row} {kind}'] = {
                name: count_step(row + options, shape, trains, amp)
                for name, (options, shape, trains) in settings.items()
            }
    cells = [header]
    for key, counts in results.items():
        cells.append(key.rsplit(' ', 1))
        for passes in counts.values():
            cells[-1].append(' + '.join(str(n) for n, _ in passes))
            cells[-1].append(' + '.join(f'{b / 1e9:.1f}' for _, b in passes))
    text = text_table(cells)
    write_table(out, 'count', text, cells, results, torch.device('cpu'), 2)
    return text


def count_step(
    row: str, shape: Sequence[int], trains: bool, amp: torch.dtype | None = None
) -> list[tuple[int, int]]:
    """Operations and bytes of a row's backbone, forward and, in training, backward.

    Args:
        row (str): See :func:`build_row`.
        shape (Sequence[int]): Shape of the images, (N, 3, H, W).
        trains (bool): Whether it is a step of training.
        amp (torch.dtype, optional): The data type of autocast.
    """
    with FakeTensorMode():
        step = Step(build_row(row, backbone_only=True), amp)
        batch = Batch(torch.empty(*shape))
        counter = _Counter()
        with _as_on_cuda(counter):
            if not trains:
                run = step.prepare('inference, whole batch', batch)
                with counter:
                    run()
                return [(counter.operations, counter.bytes)]
            step.model.train()
            with counter:
                loss = step.loss(batch)
            forward = counter.operations, counter.bytes
            with counter:
                loss.backward()
    backward = counter.operations - forward[0], counter.bytes - forward[1]
    return [forward, backward]


class _Counter(TorchDispatchMode):
    """Counts the operators that run while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        results = function(*args, **(kwargs or {}))
        name = function.overloadpacket
        outputs = _tensors(results)
        if function.is_view or not outputs or name.__name__.startswith('empty'):
            return results
        self.add(1, *_tensors((args, kwargs)), *outputs)
        if name is _aten.convolution and args[2] is not None:
            self.add(1, *outputs, *outputs)
        elif name is _aten.convolution_backward:
            self.add(len(outputs) - 1, *[args[0]] * (len(outputs) - 1))
        elif name is _aten.native_batch_norm and args[5]:
            self.add(0, args[0])
        elif name is _aten.native_batch_norm_backward and args[7]:
            self.add(0, args[0], args[1])
        return results

    def add(self, operations: int, *tensors: Tensor) -> None:
        """Adds operations that read or write these tensors."""
        self.operations += operations
        for tensor in tensors:
            size = tensor.element_size()
            for length, stride in zip(tensor.shape, tensor.stride()):
                size *= length if stride else 1  # what is expanded is read once
            self.bytes += size


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, dict):
        return _tensors(list(values.values()))
    if isinstance(values, (tuple, list)):
        return [tensor for value in values for tensor in _tensors(value)]
    return []


@contextmanager
def _as_on_cuda(counter: _Counter) -> Iterator[None]:
    """Has backbones run as on CUDA, and what is compiled there counted so."""
    form, run = FORMS['cpu'], _FUSED._run

    def count(function: Callable, settings: tuple, *inputs: Any) -> tuple:
        before = counter.operations, counter.bytes
        results: tuple = run(function, settings, *inputs)
        counter.operations, counter.bytes = before
        gate, on_batch, *_ = settings
        products = 1 if gate is None else min(2, len(list(gate.parameters())))
        kernels = KERNELS[max(1, products)][on_batch]
        if function is _FUSED._forward:
            _, z, identity, *_ = inputs
            counter.add(kernels[0], z, z, identity, results[0])
        else:
            grad, y, z, *_ = inputs
            grad_z, g, *_ = results
            counter.add(kernels[1], grad, y, z, g, g, grad_z, *[z] * on_batch)
        return results

    FORMS['cpu'], _FUSED._run = 'fused', count
    try:
        yield
    finally:
        FORMS['cpu'], _FUSED._run = form, run
