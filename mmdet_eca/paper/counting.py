"""Counts the parameters and operations of a network, for every table."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..models import AttentionResNet, ChannelAttention

# Operations of one layer, which torch's counter does not see or counts otherwise:
# a function of the layer, its input and its output.
Rule = Callable[[nn.Module, Tensor, Tensor], int]
# Types of layers, each with its rule. A layer gets every rule whose type it has.
Conventions = Sequence[tuple[type | tuple[type, ...], Rule]]


class Complexity(NamedTuple):
    """The size of a network; plain counts.

    Attributes:
        parameters (int): All parameters.
        trained_parameters (int): Parameters that are not frozen.
        operations (int): Operations for the given input. A multiply-add is one.
        products (int): Operations in products of two activations, which attention
            over positions has. Some papers leave them out.
    """

    parameters: int
    trained_parameters: int
    operations: int
    products: int


def count(
    network: nn.Module, *inputs: Tensor, conventions: Conventions = ()
) -> Complexity:
    """Counts a network for one forward pass.

    torch's counter sees every convolution, linear layer and matrix product, whether a
    module or a function calls it. Papers differ in what else they count: that is said
    by ``conventions``. With a network and inputs on torch's meta device nothing is
    allocated and nothing computed.

    Args:
        network (nn.Module): The network, in the mode that is counted.
        *inputs (Tensor): Its inputs.
        conventions (Sequence[tuple]): Operations to add for each layer, see
            :data:`Conventions`.
    """
    added: list[int] = []
    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, rule=rule: added.append(
                rule(module, inputs[0], output)
            )
        )
        for module in network.modules()
        for kind, rule in conventions
        if isinstance(module, kind)
    ]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    for handle in handles:
        handle.remove()
    weights = list(network.parameters())
    by_operator = counter.get_flop_counts().get('Global', {})
    return Complexity(
        parameters=sum(weight.numel() for weight in weights),
        trained_parameters=sum(w.numel() for w in weights if w.requires_grad),
        operations=counter.get_total_flops() // 2 + sum(added),
        # Layers are convolutions and products with a matrix of weights (mm, addmm).
        products=by_operator.get(torch.ops.aten.bmm, 0) // 2,
    )


def layer_by_layer(backbone: dict) -> ConfigDict:
    """Returns the config of a backbone that folds nothing: every layer is counted."""
    if issubclass(MODELS.get(backbone['type']), AttentionResNet):
        return ConfigDict(backbone, folded=False)
    return ConfigDict(backbone)


def per_input(operations: int) -> Rule:
    """Returns the rule of a layer with so many operations per input element."""
    return lambda layer, x, output: operations * x.numel()


def per_output(operations: int) -> Rule:
    """Returns the rule of a layer with so many operations per output element."""
    return lambda layer, x, output: operations * output.numel()


# The paper counts the mean of each channel, one addition an element, and not the
# rescaling.
POOLING = (ChannelAttention, per_input(1))


def beside_paper(key: str, value: float | None, printed: float) -> dict[str, Any]:
    """Returns a count, the paper's as ``paper_KEY`` and the difference ``diff_KEY``."""
    return {
        key: None if value is None else round(value, 6),
        f'paper_{key}': round(printed, 6),
        f'diff_{key}': None if value is None else round(value - printed, 6),
    }
