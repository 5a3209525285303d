"""Which attention layers there are."""

import difflib

from mmdet.registry import MODELS

from ...errors import UserError
from .attention_layer import AttentionLayer


def attention_types() -> dict[str, type[AttentionLayer]]:
    """The registered attention layers by their names, in alphabetical order."""
    return {
        name: module
        for name, module in sorted(MODELS.module_dict.items())
        if isinstance(module, type) and issubclass(module, AttentionLayer)
    }


def check_attention_type(cfg: dict) -> type[AttentionLayer]:
    """Returns the class that a config of an attention layer names.

    Raises:
        UserError: If it is no such config, or names no attention layer.
    """
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise UserError(
            "attention must be a dict with a 'type' such as "
            f"dict(type='ECALayer'), got {cfg!r}"
        )
    known = list(attention_types())
    layer = cfg['type']
    if isinstance(layer, str):
        layer = MODELS.get(layer)
    if layer is None:
        near = (
            difflib.get_close_matches(cfg['type'].split('.')[-1], known, cutoff=0.4)
            or known
        )
        raise UserError(
            f'attention type {cfg["type"]!r} is not registered; '
            f'near ones are {", ".join(near)}'
        )
    if not issubclass(layer, AttentionLayer):
        raise UserError(
            f'attention type {cfg["type"]!r} is no AttentionLayer (which are '
            f'{", ".join(known)}); give other layers as plugins'
        )
    checked: type[AttentionLayer] = layer
    return checked
