"""Whether weights are those of a network, and attention that is the identity."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from ..errors import UserError


def check_fit(
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor | None],
    network: str,
    optional: Collection[str] | None = None,
    remedy: str = '',
) -> None:
    """Checks that a checkpoint has the weights of a network.

    Batch norm's ``num_batches_tracked`` may be missing: torch before 0.4.1 did
    not store it, and inference does not use it.

    Args:
        weights (Mapping[str, Tensor]): The checkpoint's, by their names.
        expected (Mapping[str, Tensor | None]): The network's state dict, which may be
            on the device 'meta'; None allows any shape.
        network (str): The network's name in the message.
        optional (Collection[str], optional): Names that may be in the checkpoint too,
            by default any.
        remedy (str): The end of the message.

    Raises:
        UserError: If a weight is missing, is left over or has another shape.
    """
    left_over = [
        name
        for name in (weights if optional is not None else ())
        if name not in expected and name not in (optional or ())
    ]
    if left_over:
        raise UserError(
            f'the checkpoint has {left_over[0]!r} ({len(left_over)} names left over), '
            f'which {network} does not have{remedy}'
        )
    missing = [
        name
        for name in expected
        if name not in weights and not name.endswith('num_batches_tracked')
    ]
    if missing:
        raise UserError(
            f'the checkpoint lacks {missing[0]!r} ({len(missing)} names missing) of '
            f'{network}{remedy}'
        )
    for name, value in expected.items():
        shape = weights[name].shape if name in weights else None
        if value is not None and shape is not None and shape != value.shape:
            raise UserError(
                f'{name} is of shape {tuple(shape)}, in {network} it '
                f'is {tuple(value.shape)}{remedy}'
            )


def add_identity(
    weights: dict[str, Tensor], name: str, layer: Any, norm: str | None = None
) -> bool:
    """Gives plain weights those of an attention layer that changes nothing.

    A sigmoid of zeros rescales by one half. The norm before it then has twice the
    weight and twice the bias, which is exact. Unlike in a network that starts with a
    gate of one, the attention learns from the first step on.

    Args:
        weights (dict[str, Tensor]): The plain network's; changed.
        name (str): The layer's name in them, such as 'layer1.0.eca'.
        layer (nn.Module): The layer; changed.
        norm (str, optional): Name of the norm before it.

    Returns:
        bool: Whether it can: a layer without weights, and AA-Net's convolutions, which
        cannot be the plain ones, cannot, and nothing is done then.
    """
    multiple = layer.start_as_identity()
    if multiple is None:
        return False
    for key, value in layer.state_dict().items():
        weights[f'{name}.{key}'] = value
    if multiple != 1:
        for key in (f'{norm}.weight', f'{norm}.bias'):
            if key in weights:
                weights[key] = weights[key] / multiple
    return True
