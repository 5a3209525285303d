"""Counts the parameters and operations of a network, for every table."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

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
    """What a network has and does; plain counts.

    Attributes:
        parameters (int): All parameters.
        trained_parameters (int): Those that are not frozen.
        operations (int): Operations for the input that was given. A
            multiply-add is one operation.
        products (int): Those of them in products of two activations, as attention
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

    torch's counter sees every convolution, linear layer and matrix product,
    whether a module or a function calls it. Papers differ in what else they
    count: that is said by ``conventions``. With a network and inputs on torch's
    meta device nothing is allocated and nothing computed.

    Args:
        network (nn.Module): The network, in the mode that is counted.
        *inputs (Tensor): Its inputs.
        conventions (Sequence[tuple]): What is added for each layer, see
            :data:`Conventions`.

    Returns:
        Complexity: The counts.
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
    """The config of a backbone that folds nothing, so that every layer is counted."""
    if issubclass(MODELS.get(backbone['type']), AttentionResNet):
        return ConfigDict(backbone, folded=False)
    return ConfigDict(backbone)


def per_input(operations: int) -> Rule:
    """The rule of a layer that does so many operations on each input element."""
    return lambda layer, x, output: operations * x.numel()


def per_output(operations: int) -> Rule:
    """The rule of a layer that does so many operations for each output element."""
    return lambda layer, x, output: operations * output.numel()


# Both tables count the mean of each channel, one addition an element; the rescaling
# is not counted.
POOLING = (ChannelAttention, per_input(1))
