from .inclusive_coco_metric import InclusiveCocoMetric
from .top_accuracy import TopAccuracy

__all__ = ['InclusiveCocoMetric', 'TopAccuracy']
