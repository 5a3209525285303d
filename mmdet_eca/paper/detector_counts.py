"""Tables 5 and 6: what the paper's detectors cost."""

from collections.abc import Collection
from functools import cache
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from tqdm import tqdm

from ..config_paths import config_path
from .counting import (
    POOLING,
    Complexity,
    beside_paper,
    count,
    layer_by_layer,
    per_input,
    per_output,
)
from .paper_rows import paper_rows
from .tables import Rows

IMAGE_SIZE = (800, 1280)
NUM_BOXES = 1000
NUM_MASKS = 100
# These rows are GCNet's, quoted by the paper: all parameters are counted.
QUOTED = ('mask_rcnn_gc', 'mask_rcnn_nl')


def _bias(conv: nn.Module, x: Tensor, output: Tensor) -> int:
    return 0 if conv.bias is None else output.numel()


def _at_output_resolution(conv: Any, x: Tensor, output: Tensor) -> int:
    """Returns what a transposed convolution lacks if it is counted at its input."""
    positions = output[:, 0].numel() - x[:, 0].numel()
    return positions * conv.weight.numel()


# mmcv's, with which MMDetection 1.x and the paper counted. A transposed convolution
# was counted at the resolution of its output then; mmcv now takes its input's.
CONVENTIONS = (
    POOLING,
    ((nn.Conv2d, nn.ConvTranspose2d), _bias),
    (nn.ConvTranspose2d, _at_output_resolution),
    ((nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm, nn.LayerNorm), per_input(2)),
    (nn.ReLU, per_output(1)),
    (nn.MaxPool2d, per_input(1)),
)


class _Network(nn.Module):
    """A detector without its post-processing and its RoIAlign.

    The box head sees 1000 regions and the mask head 100 of them, as in MMDetection
    1.x, with which the paper counted.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> None:
        features = self.detector.extract_feat(images)
        if not hasattr(self.detector, 'roi_head'):
            self.detector.bbox_head(features)
            return
        self.detector.rpn_head(features)
        roi_head = self.detector.roi_head
        heads = [(roi_head.bbox_roi_extractor, roi_head.bbox_head, NUM_BOXES)]
        if roi_head.with_mask:
            heads += [(roi_head.mask_roi_extractor, roi_head.mask_head, NUM_MASKS)]
        for extractor, head, regions in heads:
            size = extractor.roi_layers[0].output_size
            shape = (regions, extractor.out_channels, *size)
            head(torch.empty(shape, device='meta'))


def count_detector(cfg: Config) -> Complexity:
    """Counts a detector of the paper at an input of 1280x800.

    Squeeze-and-excitation is counted without biases. Nothing is computed and no
    weight is allocated: the tensors are on torch's meta device.

    Args:
        cfg (Config): The whole config of a two-stage or one-stage detector.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    backbone = layer_by_layer(cfg.model.backbone)
    backbone.init_cfg = None
    if backbone.type.startswith('SE'):
        backbone.bias = False
    with torch.device('meta'):
        detector = MODELS.build(ConfigDict(cfg.model, backbone=backbone))
        images = torch.empty(1, 3, *IMAGE_SIZE)
    detector.train()  # freezes the stages
    return count(_Network(detector).eval(), images, conventions=CONVENTIONS)


@cache
def detector_columns(name: str) -> dict[str, float]:
    """Counts ``params_m`` and ``gflops`` of the row with this config.

    These are millions of the parameters that the row counts, and 1e9 multiply-adds.
    """
    cost = count_detector(Config.fromfile(config_path(f'{name}.py')))
    quoted = name.startswith(QUOTED)
    parameters = cost.parameters if quoted else cost.trained_parameters
    return dict(params_m=parameters / 1e6, gflops=round(cost.operations / 1e9, 6))


def detector_rows(tables: Collection[int]) -> Rows:
    """Counts the detectors of Tables 5 and 6; shows its progress on stderr.

    Args:
        tables (Collection[int]): 5, 6 or both.

    Returns:
        list[dict]: A dict a row of the tables: its fields, its ``params_m`` and
        ``gflops``, the paper's as ``paper_...``, and the first minus the second
        as ``diff_...``.
    """
    rows = paper_rows(tables)
    for name in tqdm(dict.fromkeys(row.name for row in rows)):
        detector_columns(name)
    results = []
    for row in rows:
        result = row.fields()
        for key, counted in detector_columns(row.name).items():
            result.update(beside_paper(key, counted, row.paper[key]))
        results.append(dict(result, source=row.source))
    return results
