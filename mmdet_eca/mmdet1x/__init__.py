"""Detectors of MMDetection 1.x: inference and evaluation with the same results.

In 1.x a box (x1, y1, x2, y2) includes the pixels x2 and y2: it is x2 - x1 + 1
wide. mmdet's own ``legacy_1.x`` configs do so in the anchors only; by its table,
converted detectors lose 0.4 to 0.5 AP. ``weights/sources/mmdet1.py`` converts them.
"""

from .box_coder import InclusiveBoxCoder
from .coco_metric import InclusiveCocoMetric
from .mask_head import InclusiveMaskHead
from .roi_extractor import InclusiveRoIExtractor

__all__ = [
    'InclusiveBoxCoder',
    'InclusiveCocoMetric',
    'InclusiveMaskHead',
    'InclusiveRoIExtractor',
]
