from typing import Dict, List

import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class TopAccuracy(BaseMetric):
    """Share of images, in percent, whose label has the highest score."""

    def process(self, data_batch: dict, data_samples: List[dict]) -> None:
        """Keeps whether each prediction of a batch is right."""
        for sample in data_samples:
            self.results.append(int(sample['scores'].argmax() == sample['label']))

    def compute_metrics(self, results: List[int]) -> Dict[str, float]:
        """The share in percent."""
        return dict(top1=100 * sum(results) / len(results))
