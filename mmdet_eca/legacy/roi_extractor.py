from typing import Optional, Sequence

from mmcv.ops import RoIAlign
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn


class _RoIAlign(RoIAlign):
    """RoIAlign of 1.x: feature cells at whole numbers, RoIs of any width.

    mmcv's without ``aligned`` widens RoIs to one cell; its aligned one does
    not, but puts the cells at half numbers.
    """

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        half_a_cell = 0.5 / self.spatial_scale
        return super().forward(input, rois + rois.new_tensor([0] + 4 * [half_a_cell]))


@MODELS.register_module()
class InclusiveRoIExtractor(SingleRoIExtractor):
    """RoI features of MMDetection 1.x, for boxes whose ends are included.

    Level and grid follow the box's true width, x2 - x1 + 1.

    Args:
        **kwargs: Of :class:`mmdet.models.SingleRoIExtractor`; of
            ``roi_layer`` the ``output_size`` and ``sampling_ratio`` are used.
    """

    def build_roi_layers(
        self, layer_cfg: dict, featmap_strides: Sequence[int]
    ) -> nn.ModuleList:
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
        roi_scale_factor: Optional[float] = None,
    ) -> Tensor:
        """Pools features.

        Args:
            feats (Sequence[Tensor]): Feature maps (N, C, H_i, W_i).
            rois (Tensor): Image index and box, ends included, shape (R, 5).
            roi_scale_factor (float, optional): Enlarges the RoIs.

        Returns:
            Tensor: Shape (R, C, output_size, output_size).
        """
        to_exclusive = rois.new_tensor([0, 0, 0, 1, 1])
        return super().forward(feats, rois + to_exclusive, roi_scale_factor)
