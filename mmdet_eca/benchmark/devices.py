"""The device that a benchmark runs on."""

import torch

from ..errors import UserError


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
