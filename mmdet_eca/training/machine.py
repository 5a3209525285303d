"""Describes the machine that a figure was measured on."""

import datetime
import os.path as osp
import platform
import re

import mmcv
import torch
from mmcv.ops import get_compiler_version, get_compiling_cuda_version

from mmcv_operators import has_compiled_operators


def machine(device: torch.device) -> str:
    """The device, the versions of what ran on it and the date, in one line."""
    threads = '' if device.type == 'cuda' else f', {torch.get_num_threads()} threads'
    return (
        f'{device_name(device)}{threads}; {versions(device)}; {datetime.date.today()}'
    )


def device_name(device: torch.device) -> str:
    """Name of the GPU or of the CPU."""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    if osp.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo') as file:
            found = re.search(r'model name\s*: (.+)', file.read())
        if found:
            return found[1]
    return platform.machine()


def versions(device: torch.device) -> str:
    """The versions of torch and mmcv, and of CUDA and cuDNN on a GPU."""
    text = f'torch {torch.__version__}'
    if device.type == 'cuda':
        text += f', CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}'
    operators = f'compiled for CUDA: {get_compiling_cuda_version()}'
    if not has_compiled_operators():
        operators = get_compiler_version()
    return f'{text}, mmcv {mmcv.__version__} (operators: {operators})'
