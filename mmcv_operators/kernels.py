"""Which kernels of torchvision can be used."""

import functools
from collections.abc import Callable
from typing import Any

import torch


@functools.cache
def works(kernel: Callable[[str], Any], device: str) -> bool:
    """Returns whether a kernel runs on a type of device; it is tried once.

    Args:
        kernel (Callable): Imports a kernel of torchvision and calls it with small
            tensors on the device, backward too.
        device (str): The type: 'cpu', 'cuda', 'mps' and so on.
    """
    try:
        # The forward pass of an autograd function, which asks, has no gradients.
        with torch.inference_mode(False), torch.enable_grad():
            kernel(device)
    # Not installed, made for another torch, or without this kernel for the device.
    except (ImportError, RuntimeError, AttributeError):
        return False
    return True
