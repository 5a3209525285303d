"""Tables 1 and 2 and Figure 4: what attention adds to a ResNet."""

from functools import cache
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tqdm import tqdm

from ..config_paths import config_path
from ..models.attention import AttentionLayer, ECANonShared, SEVar2
from .classifier_counts import OWN, count_classifier
from .counting import Complexity, count
from .paper_rows import TICKS, paper_rows
from .tables import Rows


@cache
def _parameters(name: str) -> int:
    return count_classifier(name, OWN).parameters


def tick_table_rows() -> Rows:
    """Returns the systems of Table 1 with their ticks and weights.

    Returns:
        list[dict]: A dict a system: the paper's ticks ``paper_no_reduction``,
        ``paper_cross_channel`` and ``paper_lightweight``; ``weights``, the number of
        weights that the attention adds to ResNet-50, and ``lightweight``, whether they
        are fewer than SENet's, None for SENet.
    """
    rows: Rows = []
    for row in tqdm(paper_rows([1])):
        weights = _parameters(row.name) - _parameters('resnet50')
        result = dict(table=1, name=row.name, model=row.method, weights=weights)
        result['lightweight'] = weights < rows[0]['weights'] if rows else None
        rows.append(result | {f'paper_{key}': row.paper.get(key) for key in TICKS})
    return rows


def count_layer(layer: AttentionLayer) -> Complexity:
    """Counts a layer's weights, and the multiply-adds of its gate for one image.

    The mean of each channel and the rescaling are the same for all members and are
    not counted.
    """
    x = torch.empty(1, layer.in_channels, 7, 7, device='meta')
    # These multiply element by element, each weight once, which torch's counter does
    # not see.
    elementwise = (
        (SEVar2, ECANonShared),
        lambda layer, x, output: layer.weight.numel(),
    )
    return count(layer, x, conventions=(elementwise,))


def attention_layer_rows() -> Rows:
    """Counts the members of the attention family in Table 2.

    Returns:
        list[dict]: A dict a member. ``params`` and ``operations`` are those of a
        layer at each of ``channels``, ``resnet50_params`` and
        ``resnet50_operations`` those of all layers in a ResNet-50.
    """
    init_default_scope('mmdet')
    rows = []
    for member in paper_rows([2])[1:]:  # the first has no attention
        cfg = Config.fromfile(config_path(f'imagenet/{member.name}.py'))
        with torch.device('meta'):
            backbone = MODELS.build(cfg.model.backbone)
        stages = [getattr(backbone, stage) for stage in backbone.res_layers]
        layers = [stage[0].attention for stage in stages]
        costs = [count_layer(layer) for layer in layers]
        row: dict[str, Any] = dict(
            table=2,
            name=member.method,
            config=member.name,
            layer=type(layers[0]).__name__,
            channels=[layer.in_channels for layer in layers],
            params=[cost.parameters for cost in costs],
            operations=[cost.operations for cost in costs],
        )
        for key in ('params', 'operations'):
            of_stages = zip(stages, row[key])
            row[f'resnet50_{key}'] = sum(len(stage) * n for stage, n in of_stages)
        rows.append(row | {f'paper_{key}': v for key, v in member.paper.items()})
    return rows


def kernel_size_rows() -> Rows:
    """Counts the networks of Figure 4; shows its progress on stderr.

    Returns:
        list[dict]: A dict a point: its ``depth``, ``kernel_size`` ('adaptive' for
        the formula's, None for SENet), the ``weights`` of its attention, ``params``
        and ``operations`` as plain counts, ``params_m`` and ``gflops`` in 2^20 and
        2^30, and ``paper_top1``.
    """
    rows = []
    for point in tqdm(paper_rows(figures=[4])):
        depth = int(str(point.backbone).removeprefix('ResNet-'))
        cost = count_classifier(point.name)
        rows.append(
            dict(
                figure=4,
                name=point.name,
                depth=depth,
                kernel_size=point.kernel_size,
                weights=cost.parameters - _parameters(f'resnet{depth}'),
                params=cost.parameters,
                operations=cost.operations,
                params_m=round(cost.parameters / 2**20, 6),
                gflops=round(cost.operations / 2**30, 6),
                paper_top1=point.paper['top1'],
            )
        )
    return rows
