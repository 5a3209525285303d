"""Table 3: what the paper's ImageNet classifiers cost."""

import sys
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from torch import nn

from ..engine import config_path
from ..visualization import text_table
from .complexity import POOLING, Complexity, count, layer_by_layer, per_output

# Found by the paper's figures: a batch norm has four operations an element
# (subtract, divide, scale, shift).
CONVENTIONS = (
    POOLING,
    (nn.BatchNorm2d, per_output(4)),
    ((nn.ReLU, nn.ReLU6), per_output(1)),
)
IMAGE_SIZE = 224
# #Param and FLOPs in the paper's units, 2^20 and 2^30; ECA-18 and ECA-34 are in
# the authors' repository. MobileNetV2's operations, there in units of 2^20,
# count the product and the sum in the last layer each.
PAPER = {
    'resnet50': (24.37, 3.86),
    'se_resnet50': (26.77, 3.87),
    'eca_resnet50': (24.37, 3.86),
    'resnet101': (42.49, 7.34),
    'se_resnet101': (47.01, 7.35),
    'eca_resnet101': (42.49, 7.35),
    'resnet152': (57.40, 10.82),
    'se_resnet152': (63.68, 10.85),
    'eca_resnet152': (57.40, 10.83),
    'eca_resnet18': (11.15, 1.70),
    'eca_resnet34': (20.79, 3.43),
    'mobilenetv2': (3.34, 319.4 / 1024),
    'se_mobilenetv2': (3.40, 320.1 / 1024),
    'eca_mobilenetv2': (3.34, 319.9 / 1024),
}


def count_classifier(name: str) -> Complexity:
    """Counts a classifier for one image, as the paper does.

    Args:
        name (str): Name of its config in ``configs/imagenet``.

    Returns:
        Complexity: The counts.
    """
    init_default_scope('mmdet')
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
    backbone = layer_by_layer(cfg.model.backbone)
    with torch.device('meta'):
        classifier = MODELS.build(ConfigDict(cfg.model, backbone=backbone)).eval()
        images = torch.empty(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    cost = count(classifier, images, conventions=CONVENTIONS)
    if 'mobilenet' in name:
        last_layer = cfg.model.in_channels * cfg.model.num_classes
        cost = cost._replace(operations=cost.operations + last_layer)
    return cost


def classifier_rows() -> list[dict[str, Any]]:
    """Counts the classifiers of Table 3; shows its progress on stderr.

    Returns:
        list[dict]: A dict a classifier: its ``params_m`` and ``gflops`` in units
        of 2^20 and 2^30, the paper's as ``paper_...``, and the first minus the
        second as ``diff_...``.
    """
    rows = []
    for name, paper in track_iter_progress(list(PAPER.items()), file=sys.stderr):
        cost = count_classifier(name)
        row: dict[str, Any] = dict(table=3, name=name)
        for key, value, in_paper in (
            ('params_m', cost.parameters / 2**20, paper[0]),
            ('gflops', cost.operations / 2**30, paper[1]),
        ):
            row[key] = round(value, 6)
            row[f'paper_{key}'] = round(in_paper, 6)
            row[f'diff_{key}'] = round(value - in_paper, 6)
        rows.append(row)
    print(file=sys.stderr)  # ends the line of the progress bar
    return rows


def classifier_text(rows: list[dict[str, Any]]) -> str:
    """The counted classifiers as a table."""
    header = ['Table 3', '#Param (2^20)', 'paper', 'difference']
    cells = [[*header, 'FLOPs (2^30)', 'paper', 'difference']]
    for row in rows:
        decimals = 4 if 'mobilenet' in row['name'] else 2
        cells.append(
            [row['name']]
            + [
                f'{row[prefix + key]:{sign}.{places}f}'
                for key, places in (('params_m', 2), ('gflops', decimals))
                for prefix, sign in (('', ''), ('paper_', ''), ('diff_', '+'))
            ]
        )
    return text_table(cells)
