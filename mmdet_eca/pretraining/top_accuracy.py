from typing import Dict, List, Optional, Sequence

import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub

from ..errors import UserError


@METRICS.register_module()
class TopAccuracy(BaseMetric):
    """Share of images, in percent, whose label is among the k highest scores.

    A score that equals the label's counts as higher, so constant scores get
    nothing.

    Args:
        topk (Sequence[int]): The k; each gives a metric ``topk``.
        **kwargs: Arguments of mmengine's BaseMetric.
    """

    def __init__(self, topk: Sequence[int] = (1,), **kwargs) -> None:
        super().__init__(**kwargs)
        self.topk = topk

    def process(self, data_batch: dict, data_samples: List[dict]) -> None:
        """Keeps, for each prediction of a batch, the rank of its label.

        Raises:
            UserError: If a score is not finite; names the training iteration
                and, if the batch has ``img_path``, the images.
        """
        scores = torch.stack([sample['scores'] for sample in data_samples])
        labels = torch.stack([sample['label'] for sample in data_samples])
        finite = scores.isfinite().all(dim=1).tolist()
        if not all(finite):
            self._refuse(
                [i for i, good in enumerate(finite) if not good],
                data_batch.get('img_path'),
            )
        of_label = scores.gather(1, labels[:, None])
        # The label's own score is among them.
        self.results += ((scores >= of_label).sum(dim=1) - 1).tolist()

    def _refuse(self, bad: List[int], paths: Optional[List[str]]) -> None:
        """Raises UserError for the images of these numbers in the batch."""
        iteration = MessageHub.get_current_instance().get_info('iter')
        after = (
            '' if iteration is None else f' after training iteration {iteration + 1}'
        )
        first = len(self.results) + 1
        names = ', '.join(paths[i] if paths else f'image {first + i}' for i in bad[:5])
        raise UserError(
            f'scores{after} are not finite, of {names}'
            f'{", ..." if len(bad) > 5 else ""}: the training has diverged (a '
            'lower learning rate, or gradient clipping, may help), or the '
            'weights are not whole'
        )

    def compute_metrics(self, results: List[int]) -> Dict[str, float]:
        """The shares in percent."""
        return {
            f'top{k}': 100 * sum(rank < k for rank in results) / len(results)
            for k in self.topk
        }
