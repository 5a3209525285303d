from typing import List

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class InclusiveCocoMetric(CocoMetric):
    """:class:`mmdet.evaluation.CocoMetric` for boxes whose ends are included.

    So MMDetection 1.x had them, and added one to each width and height when it
    wrote them for COCO's evaluation.
    """

    def xyxy2xywh(self, bbox: np.ndarray) -> List[float]:
        """Maps (x1, y1, x2, y2) to (x1, y1, width, height)."""
        x, y, width, height = super().xyxy2xywh(bbox)
        return [x, y, width + 1, height + 1]
