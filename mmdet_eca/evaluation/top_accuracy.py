from typing import Dict, List, Sequence

import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class TopAccuracy(BaseMetric):
    """Share of images, in percent, whose label is among the k highest scores.

    Args:
        topk (Sequence[int]): The k; each gives a metric ``topk``.
        **kwargs: Arguments of mmengine's BaseMetric.
    """

    def __init__(self, topk: Sequence[int] = (1, ), **kwargs) -> None:
        super().__init__(**kwargs)
        self.topk = topk

    def process(self, data_batch: dict, data_samples: List[dict]) -> None:
        """Keeps, for each prediction of a batch, the rank of its label."""
        scores = torch.stack([sample['scores'] for sample in data_samples])
        labels = torch.stack([sample['label'] for sample in data_samples])
        of_label = scores.gather(1, labels[:, None])
        self.results += (scores > of_label).sum(dim=1).tolist()

    def compute_metrics(self, results: List[int]) -> Dict[str, float]:
        """The shares in percent."""
        return {
            f'top{k}': 100 * sum(rank < k for rank in results) / len(results)
            for k in self.topk
        }
