"""The memory of a training step, and of a call."""

import gc
import os
from collections.abc import Callable

import torch
from torch import Tensor

from .steps import Batch, Step


def saved_bytes(step: Step, batch: Batch) -> int:
    """Bytes that autograd keeps for the backward pass.

    Each storage counts once; parameters and buffers do not count.
    """
    own = {
        value.untyped_storage().data_ptr() for value in step.model.state_dict().values()
    }
    kept = {}

    # There is no backward pass. To give the tensor back would tie it to the graph of
    # which it is a part, and neither would be freed.
    def keep(tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage

    step.model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda nothing: nothing):
        loss = step.loss(batch)
    size = sum(storage.nbytes() for storage in kept.values())
    del loss
    return size


def peak_bytes(steps: dict[str, Step], batch: Batch) -> dict[str, int]:
    """Peak memory of a training step on the GPU, by row.

    Each row is measured alone: the others are moved to the CPU, and stay there.
    """
    for step in steps.values():
        step.model.zero_grad()
        step.model.cpu()
    peaks = {}
    for row, step in steps.items():
        step.model.to(step.device)
        torch.cuda.reset_peak_memory_stats(step.device)
        step.prepare('training step', batch)()
        peaks[row] = torch.cuda.max_memory_allocated(step.device)
        step.model.zero_grad()
        step.model.cpu()
    return peaks


def call_bytes(run: Callable, device: torch.device) -> int | None:
    """Returns the peak memory of a call beyond what was in use.

    On the CPU it is Linux's count of the process's pages.
    """
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    if not os.access('/proc/self/clear_refs', os.W_OK):
        return None
    gc.collect()  # else what it frees during the call would hide the call's own
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')  # the peak becomes what is in use now
    before = _status('VmHWM')
    run()
    return _status('VmHWM') - before


def _status(name: str) -> int:
    with open('/proc/self/status') as file:
        (line,) = [line for line in file if line.startswith(name)]
    return int(line.split()[1]) * 1024
