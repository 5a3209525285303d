"""Inference as MMDetection 1.x did it, where mmdet's legacy pieces differ.

In 1.x a box (x1, y1, x2, y2) includes the pixels x2 and y2: it is x2 - x1 + 1
wide. mmdet's own ``legacy_1.x`` configs follow that in the anchors only, and
its table has converted detectors 0.4 to 0.5 AP below what they had in 1.x.
"""
from .box_coder import InclusiveBoxCoder
from .mask_head import InclusiveMaskHead
from .roi_extractor import InclusiveRoIExtractor

__all__ = ['InclusiveBoxCoder', 'InclusiveMaskHead', 'InclusiveRoIExtractor']
