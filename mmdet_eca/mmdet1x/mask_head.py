import mmcv
import numpy as np
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class InclusiveMaskHead(FCNMaskHead):
    """:class:`mmdet.models.FCNMaskHead` that pastes masks as MMDetection 1.x did.

    MMDetection 1.x resized a mask to the whole pixels of its box and compared it
    with the threshold; mmdet 3.x samples it at the centres of the image's pixels.
    """

    def _predict_by_feat_single(
        self,
        mask_preds: Tensor,
        bboxes: Tensor,
        labels: Tensor,
        img_meta: dict,
        rcnn_test_cfg: dict,
        rescale: bool = False,
        activate_map: bool = False,
    ) -> Tensor:
        """Pastes the masks of one image.

        Args:
            mask_preds (Tensor): Logits, or with ``activate_map`` probabilities,
                of R boxes and K classes, shape (R, K, h, w).
            bboxes (Tensor): Boxes (x1, y1, x2, y2), last pixel included, in pixels
                of the network's input, shape (R, 4). With ``rescale`` they are
                scaled to the original image in place, as mmdet does.
            labels (Tensor): Classes, shape (R, ).
            img_meta (dict): ``ori_shape``, ``img_shape``, ``scale_factor``.
            rcnn_test_cfg (dict): Its ``mask_thr_binary`` is used.
            rescale (bool): Whether to return masks of the original image instead
                of the network's input.
            activate_map (bool): Whether ``mask_preds`` are probabilities.

        Returns:
            Tensor: Masks, shape (R, H, W), bool.
        """
        probabilities = mask_preds if activate_map else mask_preds.sigmoid()
        if not self.class_agnostic:
            probabilities = probabilities[range(len(labels)), labels][:, None]
        if rescale:
            bboxes /= bboxes.new_tensor(img_meta['scale_factor']).repeat(2)
        shape = img_meta['ori_shape' if rescale else 'img_shape'][:2]
        masks = np.zeros((len(bboxes), *shape), dtype=bool)
        for mask, probability, (x1, y1, x2, y2) in zip(
            masks, probabilities[:, 0].float().cpu().numpy(), bboxes.int().tolist()
        ):
            size = (max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1))
            pixels = mask[y1 : y1 + size[1], x1 : x1 + size[0]]
            pixels[:] = (
                mmcv.imresize(probability, size) > rcnn_test_cfg['mask_thr_binary']
            )[: pixels.shape[0], : pixels.shape[1]]
        return torch.from_numpy(masks).to(bboxes.device)
