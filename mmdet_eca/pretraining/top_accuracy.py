from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub

from ..errors import UserError, first_few


@METRICS.register_module()
class TopAccuracy(BaseMetric):
    """Share of images, in percent, whose label is among the k highest scores.

    A score equal to the label's counts as higher, so a network whose scores are
    all equal gets 0. scikit-learn's ``top_k_accuracy_score`` and ``torch.topk``
    choose among equal scores by their place, and do not refuse NaN.

    Args:
        topk (Sequence[int]): Values of k; each gives a metric ``top<k>``.
        **kwargs: Arguments of mmengine's BaseMetric.
    """

    def __init__(self, topk: Sequence[int] = (1,), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk = topk

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        """Keeps for each image how many classes have a higher score than its label.

        Args:
            data_batch (dict): The batch; ``img_path`` (N,) is used if it is there.
            data_samples (list[dict]): For each image its ``scores`` (K,) and its
                ``label``, a tensor without dimensions.

        Raises:
            UserError: If a score is not finite; the message names the training
                iteration and the images.
        """
        scores = torch.stack([sample['scores'] for sample in data_samples])
        labels = torch.stack([sample['label'] for sample in data_samples])
        not_finite = (~scores.isfinite()).any(dim=1).nonzero()[:, 0].tolist()
        if not_finite:
            self._raise_not_finite(not_finite, data_batch.get('img_path'))
        of_label = scores.gather(1, labels[:, None])
        # The label's own score is among those that are not lower.
        self.results += ((scores >= of_label).sum(dim=1) - 1).tolist()

    def _raise_not_finite(self, images: list[int], paths: list[str] | None) -> None:
        iteration = MessageHub.get_current_instance().get_info('iter')
        after = (
            '' if iteration is None else f' after training iteration {iteration + 1}'
        )
        first = len(self.results) + 1
        names = [paths[i] if paths else f'image {first + i}' for i in images]
        raise UserError(
            f'scores{after} are not finite, of {first_few(names)}: the training has '
            'diverged (a lower learning rate, or gradient clipping, may help), or '
            'the weights are not whole'
        )

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """Returns the share for each k in percent, from the ranks of the labels."""
        return {
            f'top{k}': 100 * sum(rank < k for rank in results) / len(results)
            for k in self.topk
        }
