import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class InclusiveCocoMetric(CocoMetric):
    """:class:`mmdet.evaluation.CocoMetric` for boxes that include their last pixel.

    MMDetection 1.x added one to their width and height for COCO's evaluation, whose
    boxes end behind the last pixel.
    """

    def xyxy2xywh(self, bbox: np.ndarray) -> list[float]:
        """Maps (x1, y1, x2, y2) to (x1, y1, width, height)."""
        x, y, width, height = super().xyxy2xywh(bbox)
        return [x, y, width + 1, height + 1]
