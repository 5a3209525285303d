"""Table 2: the members of the attention family, and what they cost."""

from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..engine import config_path
from ..models.attention import AttentionLayer, ECANonShared, SEVar2
from ..visualization import text_table
from .complexity import Complexity, count
from .paper_rows import MemberRow, load_member_rows

# These multiply element by element, each weight once, which torch's counter does
# not see.
CONVENTIONS = (((SEVar2, ECANonShared), lambda layer, x, output: layer.weight.numel()),)


def stage_layers(name: str) -> list[tuple[AttentionLayer, int]]:
    """The attention of a classifier's stages, on torch's meta device.

    Args:
        name (str): Name of its config in ``configs/imagenet``; of a ResNet with
            attention in every block.

    Returns:
        list[tuple]: For every stage the layer of its first block, and the number of
        its blocks.
    """
    init_default_scope('mmdet')
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
    stages = [getattr(backbone, stage) for stage in backbone.res_layers]
    return [(stage[0].attention, len(stage)) for stage in stages]


def count_layer(layer: AttentionLayer) -> Complexity:
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
    _, *members = load_member_rows()  # the first has no attention
    return [_count_row(member) for member in members]


def _count_row(member: MemberRow) -> dict[str, Any]:
    stages = stage_layers(member.name)
    layers = [layer for layer, _ in stages]
    row: dict[str, Any] = dict(
        table=2,
        name=member.member,
        config=member.name,
        layer=type(layers[0]).__name__,
        channels=[layer.in_channels for layer in layers],
    )
    costs = [count_layer(layer) for layer in layers]
    for key, counts in (
        ('params', [cost.parameters for cost in costs]),
        ('operations', [cost.operations for cost in costs]),
    ):
        row[key] = counts
        row[f'resnet50_{key}'] = sum(
            blocks * number for (_, blocks), number in zip(stages, counts)
        )
    return dict(
        row,
        paper_weights=member.weights,
        paper_top1=member.top1,
        paper_top5=member.top5,
    )


def attention_layer_text(rows: list[dict[str, Any]]) -> str:
    """The counted members as three tables."""
    stages = [f'C = {channels}' for channels in rows[0]['channels']]
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
    plain = load_member_rows()[0]
    without = (
        'ResNet-50 on ImageNet; without attention '
        f'{plain.top1:.2f} / {plain.top5:.2f} ({plain.note})'
    )
    return '\n'.join([*tables, text_table([header, *paper], left_columns=3), without])
