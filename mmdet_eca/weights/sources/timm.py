"""timm's ResNets with ECA or squeeze-and-excitation, both called ``se``.

ecaresnet50d, 101d, 200d and 269d, ecaresnet26t and 50t, ecaresnetlight; seresnet18,
34, 50, 101 and 152, seresnet50t, seresnet152d, 200d and 269d.
https://github.com/huggingface/pytorch-image-models, ``timm/models/resnet.py``.
"""

import re

from ...errors import UserError
from ..files import StateDict
from ..resnet import check_resnet

NAME = "timm's ecaresnet and seresnet weights"


def check_name(name: str) -> None:
    """Refuses the models that nothing in their files tells from others.

    Raises:
        UserError: If a model of this name pools where its blocks have a stride, and
            so has the parameters, but not the features, of one that does not.
    """
    if re.match(r'(se|eca)?resnex?t(aa|blur)\d', name):
        raise UserError(
            f'timm://{name}: its blocks pool before they skip positions, which no '
            'backbone here does; take a model without aa or blur in its name'
        )


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether there is an attention by the name that timm gives to any.

    That is ``se`` in its ResNets, whose SE consists of convolutions, and ``attn`` in
    the networks of ``byobnet.py``.
    """
    squeeze = state_dict.get('layer1.0.se.fc1.weight')
    return (
        'layer1.0.se.conv.weight' in state_dict
        or (squeeze is not None and squeeze.dim() == 4)
        or _byobnet(state_dict) is not None
    )


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Renames the deep stem and the attention; a plain stem keeps its names.

    timm's average-pooled shortcut is (pool, convolution, norm) in every stage,
    as mmdet's: the numbers in ``downsample`` are the same.

    Raises:
        UserError: If it is another network, such as gcresnet50t, or it is not whole.
    """
    name = _byobnet(state_dict)
    if name is not None:
        raise UserError(
            f'the checkpoint has {name!r}: in this network of timm, as in gcresnet50t, '
            'the attention sits between the convolutions of a block, not at its end '
            'as in the backbones here'
        )
    deep_stem = 'conv1.0.weight' in state_dict
    converted = {}
    for name, value in state_dict.items():
        name = re.sub(r'^(layer\d\.\d+)\.se\.conv\.', r'\1.eca.conv.', name)
        if re.match(r'layer\d\.\d+\.se\.fc[12]\.weight', name) and value.dim() == 4:
            value = value.flatten(1)  # (out, in, 1, 1)
        if deep_stem:
            name = re.sub(r'^conv1\.', 'stem.', name)
            name = re.sub(r'^bn1\.', 'stem.7.', name)
        converted[name] = value
    return converted, str(check_resnet(converted))


def _byobnet(state_dict: StateDict) -> str | None:
    """The first name of an attention of ``timm/models/byobnet.py``."""
    return next(
        (name for name in state_dict if re.match(r'stages\.\d\.\d+\.attn\.', name)),
        None,
    )
