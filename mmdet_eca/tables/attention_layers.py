"""Table 2: the members of the attention family, and what they cost."""

from typing import Any, NamedTuple

import torch

from ..models.attention import (
    ChannelAttention,
    ECALayer,
    ECANonShared,
    SEGroup,
    SEVar1,
    SEVar2,
    SEVar3,
    SqueezeExcitation,
)
from ..visualization import text_table
from .complexity import Complexity, count

# Of ResNet-50's stages: channels at the end of a block, number of blocks.
STAGES = ((256, 3), (512, 4), (1024, 6), (2048, 3))
# These multiply element by element, each weight once, which torch's counter does
# not see.
CONVENTIONS = (((SEVar2, ECANonShared), lambda layer, x, output: layer.weight.numel()),)


class Member(NamedTuple):
    """A row of Table 2.

    Attributes:
        name (str): Its name in the paper.
        layer (type): Its class.
        arguments (dict): Arguments of the class.
        paper_weights (str): Number of weights by the paper.
        paper_top1 (float): Top-1 accuracy of its ResNet-50, in percent.
        paper_top5 (float): Top-5 accuracy.
    """

    name: str
    layer: type
    arguments: dict[str, int]
    paper_weights: str
    paper_top1: float
    paper_top5: float

    def build(self, channels: int) -> ChannelAttention:
        """The layer for this number of channels, on torch's meta device."""
        with torch.device('meta'):
            return self.layer(channels, **self.arguments)


MEMBERS = (
    Member('SE', SqueezeExcitation, {}, '2 C^2 / r', 76.71, 93.38),
    Member('SE-Var1', SEVar1, {}, '0', 76.00, 92.90),
    Member('SE-Var2', SEVar2, {}, 'C', 77.07, 93.31),
    Member('SE-Var3', SEVar3, {}, 'C^2', 77.42, 93.64),
    Member('SE-GC1', SEGroup, dict(groups=16), 'C^2 / 16', 76.95, 93.47),
    Member('SE-GC2', SEGroup, dict(group_width=16), '16 C', 76.98, 93.31),
    Member('SE-GC3', SEGroup, dict(group_width=8), '8 C', 76.96, 93.38),
    Member('ECA-NS', ECANonShared, dict(kernel_size=3), 'k C', 77.35, 93.61),
    Member('ECA', ECALayer, dict(kernel_size=3), 'k = 3', 77.43, 93.65),
)
PLAIN = 'ResNet-50 on ImageNet; without attention 75.20 / 92.25'


def count_layer(layer: ChannelAttention) -> Complexity:
    """Counts a layer's weights, and the multiply-adds of its gate for one image.

    The mean of each channel and the rescaling are the same for all members and
    are not counted.
    """
    x = torch.empty(1, layer.in_channels, 7, 7, device='meta')
    return count(layer, x, conventions=CONVENTIONS)


def attention_layer_rows() -> list[dict[str, Any]]:
    """Counts the members of Table 2.

    Returns:
        list[dict]: A dict a member. ``params`` and ``operations`` are those of a
        layer at each of ``channels``, ``resnet50_params`` and
        ``resnet50_operations`` those of all layers in a ResNet-50.
        ``paper_weights``, ``paper_top1`` and ``paper_top5`` are the paper's.
    """
    rows = []
    for member in MEMBERS:
        costs = [count_layer(member.build(channels)) for channels, _ in STAGES]
        row = dict(
            table=2,
            name=member.name,
            layer=member.layer.__name__,
            channels=[channels for channels, _ in STAGES],
        )
        for key, counts in (
            ('params', [cost.parameters for cost in costs]),
            ('operations', [cost.operations for cost in costs]),
        ):
            row[key] = counts
            row[f'resnet50_{key}'] = sum(
                blocks * number for (_, blocks), number in zip(STAGES, counts)
            )
        rows.append(
            dict(
                row,
                paper_weights=member.paper_weights,
                paper_top1=member.paper_top1,
                paper_top5=member.paper_top5,
            )
        )
    return rows


def attention_layer_text(rows: list[dict[str, Any]]) -> str:
    """The counted members as three tables."""
    stages = [f'C = {channels}' for channels, _ in STAGES]
    tables = [
        text_table(
            [['', *stages, 'ResNet-50']]
            + [
                [
                    row['name'],
                    *(f'{number:,}' for number in row[key]),
                    f'{row[f"resnet50_{key}"]:,}',
                ]
                for row in rows
            ],
            title,
        )
        for title, key in (
            ('Table 2: weights of a layer', 'params'),
            ('multiply-adds of a gate', 'operations'),
        )
    ]
    paper = [
        [
            row['name'],
            row['layer'],
            row['paper_weights'],
            f'{row["paper_top1"]:.2f}',
            f'{row["paper_top5"]:.2f}',
        ]
        for row in rows
    ]
    header = ['the paper', 'layer', 'weights', 'top-1', 'top-5']
    return '\n'.join([*tables, text_table([header, *paper], left_columns=3), PLAIN])
