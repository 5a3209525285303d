"""Marks functions that torch.fx and torch.compile treat as one node."""

from typing import Any

from torch import nn
from torch.fx import Proxy


def as_node(module: nn.Module, x: Proxy) -> Proxy:
    """The call of ``module`` as one node of the graph that is being traced.

    torch.fx cannot follow a choice by the input's size. A node is by the
    module's name, so copies of the graph call their own module.
    """
    tracer: Any = x.tracer
    return tracer.create_proxy('call_module', tracer.path_of_module(module), (x,), {})
