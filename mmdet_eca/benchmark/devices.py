"""The device that a benchmark runs on."""

import datetime
import os.path as osp
import platform
import re
from typing import Optional

import mmcv
import torch
from mmcv.ops import get_compiling_cuda_version

from ..errors import UserError


def choose_device(name: Optional[str]) -> torch.device:
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
    return device


def machine(device: torch.device) -> str:
    """The device, the versions of what ran on it and the date, in one line."""
    versions = f'torch {torch.__version__}'
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
        versions += (
            f', CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}'
        )
    else:
        name = f'{_cpu_name()}, {torch.get_num_threads()} threads'
    return (
        f'{name}; {versions}, mmcv {mmcv.__version__} (operators for CUDA: '
        f'{get_compiling_cuda_version()}); {datetime.date.today()}'
    )


def _cpu_name() -> str:
    if osp.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo') as file:
            found = re.search(r'model name\s*: (.+)', file.read())
        if found:
            return found[1]
    return platform.machine()
