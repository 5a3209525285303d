from typing import Optional, Sequence

from mmdet.models.task_modules.coders import LegacyDeltaXYWHBBoxCoder
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class InclusiveBoxCoder(LegacyDeltaXYWHBBoxCoder):
    """Box coding of MMDetection 1.x, to the half pixel.

    mmdet's ``LegacyDeltaXYWHBBoxCoder`` decodes boxes of the right width, but
    with ends half a pixel outside of the first and last pixel.
    """

    def decode(
        self,
        bboxes: Tensor,
        pred_bboxes: Tensor,
        max_shape: Optional[Sequence[int]] = None,
        wh_ratio_clip: float = 16 / 1000,
    ) -> Tensor:
        """Applies deltas to boxes.

        Args:
            bboxes (Tensor): Boxes, ends included, shape (N, 4).
            pred_bboxes (Tensor): Deltas, shape (N, 4 K).
            max_shape (Sequence[int], optional): Height and width of the image,
                whose last pixel ends the boxes.
            wh_ratio_clip (float): Largest change of width and height, or its
                inverse.

        Returns:
            Tensor: Boxes, ends included, shape (N, 4 K).
        """
        boxes = super().decode(bboxes, pred_bboxes, None, wh_ratio_clip)
        boxes[:, 0::4] += 0.5
        boxes[:, 1::4] += 0.5
        boxes[:, 2::4] -= 0.5
        boxes[:, 3::4] -= 0.5
        if max_shape is not None:
            boxes[:, 0::2] = boxes[:, 0::2].clamp(0, max_shape[1] - 1)
            boxes[:, 1::2] = boxes[:, 1::2].clamp(0, max_shape[0] - 1)
        return boxes
