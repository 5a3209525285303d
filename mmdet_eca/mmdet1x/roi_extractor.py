from collections.abc import Sequence

from mmcv.ops import RoIAlign
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn


class _RoIAlign(RoIAlign):
    """RoIAlign of MMDetection 1.x: feature cells at whole numbers, RoIs of any width.

    mmcv's RoIAlign has its cells at whole numbers only with ``aligned=False``, but
    then it makes every RoI at least one cell wide.
    """

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        half_a_cell = 0.5 / self.spatial_scale
        return super().forward(input, rois + rois.new_tensor([0] + 4 * [half_a_cell]))


@MODELS.register_module()
class InclusiveRoIExtractor(SingleRoIExtractor):
    """RoI features of MMDetection 1.x, for boxes that include their last pixel.

    The level of the pyramid and the grid follow from the width x2 - x1 + 1.

    Arguments as of :class:`mmdet.models.SingleRoIExtractor`; of ``roi_layer`` only
    ``output_size`` and ``sampling_ratio`` are used.
    """

    def build_roi_layers(
        self, layer_cfg: dict, featmap_strides: Sequence[int]
    ) -> nn.ModuleList:
        """Builds one RoIAlign for each level of the pyramid.

        Args:
            layer_cfg (dict): ``output_size`` and ``sampling_ratio`` of all of them.
            featmap_strides (Sequence[int]): Stride of each level, in pixels.
        """
        return nn.ModuleList(
            _RoIAlign(
                output_size=layer_cfg['output_size'],
                spatial_scale=1 / stride,
                sampling_ratio=layer_cfg['sampling_ratio'],
                aligned=True,
            )
            for stride in featmap_strides
        )

    def forward(
        self,
        feats: Sequence[Tensor],
        rois: Tensor,
        roi_scale_factor: float | None = None,
    ) -> Tensor:
        """Pools the features of each box.

        Args:
            feats (Sequence[Tensor]): Feature maps, shapes (N, C, H_i, W_i).
            rois (Tensor): Index of the image and box (x1, y1, x2, y2), last pixel
                included, in pixels, shape (R, 5).
            roi_scale_factor (float, optional): Factor for width and height of the
                boxes.

        Returns:
            Tensor: Shape (R, C, output_size, output_size).
        """
        to_exclusive = rois.new_tensor([0, 0, 0, 1, 1])
        return super().forward(feats, rois + to_exclusive, roi_scale_factor)
