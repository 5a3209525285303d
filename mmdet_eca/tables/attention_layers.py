"""Prints Table 2 of ECA-Net: the members of the family and what they cost.

python -m mmdet_eca.tables.attention_layers
"""

import torch
from terminaltables import AsciiTable

from ..models.attention import (
    ECALayer,
    ECANonShared,
    SEGroup,
    SEVar1,
    SEVar2,
    SEVar3,
    SqueezeExcitation,
)

CHANNELS = (256, 512, 1024, 2048)  # after the stages of a ResNet-50
# Name, layer and arguments; in the paper: number of weights, top-1, top-5.
MEMBERS = (
    ('SE', SqueezeExcitation, {}, '2 C^2 / r', 76.71, 93.38),
    ('SE-Var1', SEVar1, {}, '0', 76.00, 92.90),
    ('SE-Var2', SEVar2, {}, 'C', 77.07, 93.31),
    ('SE-Var3', SEVar3, {}, 'C^2', 77.42, 93.64),
    ('SE-GC1', SEGroup, dict(groups=16), 'C^2 / 16', 76.95, 93.47),
    ('SE-GC2', SEGroup, dict(group_width=16), '16 C', 76.98, 93.31),
    ('SE-GC3', SEGroup, dict(group_width=8), '8 C', 76.96, 93.38),
    ('ECA-NS', ECANonShared, dict(kernel_size=3), 'k C', 77.35, 93.61),
    ('ECA', ECALayer, dict(kernel_size=3), 'k = 3', 77.43, 93.65),
)


def count_weights(layer: torch.nn.Module) -> int:
    """Number of weights of a layer."""
    return sum(weight.numel() for weight in layer.parameters())


def count_multiply_adds(layer: torch.nn.Module) -> int:
    """Multiply-adds of f for one image: every weight is used once, the shared
    ones of ECA once a channel. Pooling and rescaling are the same for all."""
    uses = layer.in_channels if isinstance(layer, ECALayer) else 1
    return count_weights(layer) * uses


def main() -> None:
    counts = {
        'weights of a layer': count_weights,
        'multiply-adds of a gate': count_multiply_adds,
    }
    for title, count in counts.items():
        rows = [['', *(f'C = {channels}' for channels in CHANNELS)]]
        for name, layer, arguments, *_ in MEMBERS:
            with torch.device('meta'):
                layers = [layer(channels, **arguments) for channels in CHANNELS]
            rows.append([name, *(f'{count(layer):,}' for layer in layers)])
        table = AsciiTable(rows, f' {title} ')
        table.justify_columns = dict.fromkeys(range(1, len(rows[0])), 'right')
        print(table.table)
    table = AsciiTable(
        [['', 'layer', 'weights', 'top-1', 'top-5']]
        + [
            [name, layer.__name__, weights, f'{top1:.2f}', f'{top5:.2f}']
            for name, layer, _, weights, top1, top5 in MEMBERS
        ],
        ' the paper, Table 2: ResNet-50 on ImageNet, 75.20 / 92.25 without ',
    )
    print(table.table)


if __name__ == '__main__':
    main()
