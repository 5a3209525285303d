from collections.abc import Sequence

from mmdet.models.task_modules.coders import LegacyDeltaXYWHBBoxCoder
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class InclusiveBoxCoder(LegacyDeltaXYWHBBoxCoder):
    """The box coding of MMDetection 1.x.

    mmdet's ``LegacyDeltaXYWHBBoxCoder`` decodes boxes that begin half a pixel before
    the first pixel and end half a pixel behind the last.
    """

    def decode(
        self,
        bboxes: Tensor,
        pred_bboxes: Tensor,
        max_shape: Sequence[int] | None = None,
        wh_ratio_clip: float = 16 / 1000,
    ) -> Tensor:
        """Applies deltas to boxes.

        Args:
            bboxes (Tensor): Boxes (x1, y1, x2, y2), last pixel included, in
                pixels, shape (N, 4).
            pred_bboxes (Tensor): Deltas for K classes, shape (N, 4 K).
            max_shape (Sequence[int], optional): Height and width of the image in
                pixels, to which the boxes are clipped.
            wh_ratio_clip (float): The smallest factor for width and height; the
                largest is its inverse.

        Returns:
            Tensor: Boxes, last pixel included, shape (N, 4 K).
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
