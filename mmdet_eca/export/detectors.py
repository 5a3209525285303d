"""Detectors as one function of tensors, from the image to boxes, labels and masks.

MMDetection's own predictions go through lists of data samples and through choices
in Python, which no exporter can follow. Here its parts (backbone, neck, heads, prior
generators, box coders, test settings) are called in the order of its code.
"""

from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from mmcv.ops import RoIAlign
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.dense_heads import RetinaHead, RetinaSepBNHead, RPNHead
from mmdet.models.dense_heads.anchor_head import AnchorHead
from mmdet.models.detectors import BaseDetector, FasterRCNN, MaskRCNN, RetinaNet
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import (
    ConvFCBBoxHead,
    Shared2FCBBoxHead,
    Shared4Conv1FCBBoxHead,
)
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .operators import largest, nms, roi_align

Features = tuple[Tensor, ...]  # of the neck's levels
Size = tuple[Any, Any]  # height and width in pixels, which an exporter follows


class Kind(NamedTuple):
    """The way from the neck's features to detections, for a type of detector.

    Attributes:
        detect (Callable): Takes the detector, its neck's features and the image's
            height and width; returns a tensor for each output.
        outputs (tuple[str]): The outputs' names.
        lowest_opset (int): The first version of ONNX's operators that is enough.
        reason (str): The operator, or the form of one, that came with that version.
    """

    detect: Callable
    outputs: tuple[str, ...] = ('boxes', 'scores', 'labels')
    lowest_opset: int = 16
    reason: str = "RoiAlign's coordinate_transformation_mode"


class ExportableDetector(nn.Module):
    """A detector that exporters can follow, from the image to boxes and masks.

    Args:
        model (BaseDetector): A RetinaNet, Faster R-CNN or Mask R-CNN of MMDetection,
            in evaluation mode.
        raw (bool): Whether the input is the image as it is read from a file.

    Attributes:
        kind (Kind): The computation after the neck.
        channels (int): Channels C of the image: 3, or 1 of grey images.
        swaps_channels (bool): Whether the network takes RGB of a BGR image.
    """

    def __init__(self, model: BaseDetector, raw: bool) -> None:
        super().__init__()
        self.model = model
        self.raw = raw
        self.kind = KINDS[type(model)]
        convs = (m for m in model.backbone.modules() if isinstance(m, nn.Conv2d))
        self.channels = next(convs).in_channels
        settings = model.cfg.model.get('data_preprocessor') or {}
        swaps = settings.get('bgr_to_rgb') or settings.get('rgb_to_bgr')
        self.swaps_channels = bool(swaps)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Detects the objects in one image.

        Args:
            image (Tensor): Normalised, of shape (1, C, H, W). If ``raw``, uint8 of
                shape (H, W, C), with the channels as the config's pipeline reads
                them.

        Returns:
            tuple[Tensor, ...]: D detections from the highest score down: boxes x1,
            y1, x2, y2 in pixels of the input, of shape (D, 4), scores (D,), labels
            (D,) and, of Mask R-CNN, masks (D, h, w): the probability that a cell
            of the box is the object.
        """
        # As model.data_preprocessor, whose padding an exporter takes for a constant.
        preprocessor = self.model.data_preprocessor
        if self.raw:
            image = image.permute(2, 0, 1)[None]
            image = (image.flip(1) if self.swaps_channels else image).float()
            if hasattr(preprocessor, 'mean'):
                image = (image - preprocessor.mean) / preprocessor.std
        height, width = image.shape[2], image.shape[3]
        divisor = preprocessor.pad_size_divisor
        if divisor > 1:
            right, bottom = (
                (side + divisor - 1) // divisor * divisor - side
                for side in (width, height)
            )
            value = preprocessor.pad_value
            image = F.pad(image, (0, right, 0, bottom), value=value)
        features = self.model.extract_feat(image)
        found: tuple[Tensor, ...] = self.kind.detect(
            self.model, features, (height, width)
        )
        return found


def detect_one_stage(
    model: BaseDetector, features: Features, size: Size
) -> tuple[Tensor, ...]:
    """Computes what ``BaseDenseHead.predict`` does."""
    cfg = model.bbox_head.test_cfg
    boxes, scores, labels, _ = candidates(model.bbox_head, features, size, cfg)
    return suppress_boxes(boxes, scores, labels, labels, cfg)


def detect_two_stage(
    model: BaseDetector, features: Features, size: Size
) -> tuple[Tensor, ...]:
    """Computes what ``TwoStageDetector.predict`` with ``StandardRoIHead`` does."""
    cfg = model.test_cfg.rpn
    boxes, scores, labels, levels = candidates(model.rpn_head, features, size, cfg)
    rois, *_ = suppress_boxes(boxes, scores, labels, levels, cfg)
    head, cfg = model.roi_head.bbox_head, model.test_cfg.rcnn
    logits, deltas = head(extract(model.roi_head.bbox_roi_extractor, features, rois))
    scores = logits.softmax(-1)[:, :-1]
    boxes = clip(head.bbox_coder.decode(rois, deltas), size, head)
    boxes = boxes.reshape(-1, 1 if head.reg_class_agnostic else head.num_classes, 4)
    roi, label = (scores > cfg.score_thr).nonzero(as_tuple=True)
    scores = scores[roi, label]
    boxes = boxes[roi, torch.zeros_like(label) if head.reg_class_agnostic else label]
    keep = nms(boxes, scores, label, cfg.nms.iou_threshold, cfg.max_per_img)
    return boxes[keep], scores[keep], label[keep]


def detect_with_masks(
    model: BaseDetector, features: Features, size: Size
) -> tuple[Tensor, ...]:
    """Computes what ``TwoStageDetector.predict`` with a ``FCNMaskHead`` does."""
    boxes, scores, labels = detect_two_stage(model, features, size)
    head = model.roi_head.mask_head
    logits = head(extract(model.roi_head.mask_roi_extractor, features, boxes))
    rows = torch.zeros_like(labels) if head.class_agnostic else labels
    masks = logits[torch.arange(labels.shape[0]), rows]
    return boxes, scores, labels, masks.sigmoid()


def candidates(
    head: AnchorHead, features: Features, size: Size, cfg: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Selects the ``cfg.nms_pre`` highest scores of each level, with their boxes.

    Args:
        head (AnchorHead): A RetinaHead or RPNHead.
        features (tuple[Tensor, ...]): One of shape (1, C, H, W) for each level.
        size (tuple): Height and width of the image in pixels.
        cfg (dict): The head's settings for tests.

    Returns:
        tuple[Tensor, Tensor, Tensor, Tensor]: Boxes of shape (N, 4), and scores,
        labels and levels of shape (N,).
    """
    found = []
    for level, (logits, deltas) in enumerate(zip(*head(features))):
        height, width = logits.shape[2], logits.shape[3]
        # By position, then anchor, then class, as MMDetection has them.
        logits = logits.permute(0, 2, 3, 1).reshape(-1)
        deltas = deltas.permute(0, 2, 3, 1).reshape(-1, 4)
        # sigmoid keeps the order; so it needs to see the highest only.
        logits, index = largest(logits, cfg.get('nms_pre', -1))
        scores = logits.sigmoid()
        if cfg.get('score_thr', 0) > 0:
            above = (scores > cfg.score_thr).nonzero()[:, 0]
            scores, index = scores[above], index[above]
        anchor = index // head.cls_out_channels
        priors = head.prior_generator.sparse_priors(
            anchor, (height, width), level, scores.dtype, scores.device
        )
        boxes = head.bbox_coder.decode(priors, deltas[anchor])
        labels = index - anchor * head.cls_out_channels
        found.append((boxes, scores, labels, torch.full_like(labels, level)))
    boxes, scores, labels, levels = map(torch.cat, zip(*found))
    return clip(boxes, size, head), scores, labels, levels


def suppress_boxes(
    boxes: Tensor, scores: Tensor, labels: Tensor, groups: Tensor, cfg: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Leaves out boxes that are too small, and those that a higher score overlaps.

    Boxes (N, 4) of different groups (N,) do not suppress each other; ``cfg`` are the
    head's settings for tests.
    """
    smallest = cfg.get('min_bbox_size', -1)
    if smallest >= 0:
        sides = boxes[:, 2:] - boxes[:, :2]
        large = (sides.min(dim=1).values > smallest).nonzero()[:, 0]
        boxes, scores, labels, groups = (
            value[large] for value in (boxes, scores, labels, groups)
        )
    keep = nms(boxes, scores, groups, cfg.nms.iou_threshold, cfg.max_per_img)
    return boxes[keep], scores[keep], labels[keep]


def extract(extractor: SingleRoIExtractor, features: Features, rois: Tensor) -> Tensor:
    """Pools the features of RoIs (K, 4), each from the level that fits its size."""
    layers = extractor.roi_layers
    if len(layers) == 1:
        return roi_align(features[0], rois, layers[0])
    levels = extractor.map_roi_levels(F.pad(rois, (1, 0)), len(layers))
    of_level = [(levels == level).nonzero()[:, 0] for level in range(len(layers))]
    pooled = [
        roi_align(feature, rois[index], layer)
        for feature, index, layer in zip(features, of_level, layers)
    ]
    # Back into the order of the RoIs.
    order = torch.cat(of_level)
    place = torch.zeros_like(order).scatter(0, order, torch.arange(order.shape[0]))
    return torch.cat(pooled)[place]


def clip(boxes: Tensor, size: Size, head: Any) -> Tensor:
    """Cuts boxes of shape (N, 4 C) off at the borders of an image (H, W).

    MMDetection 3's box coder does so for sizes that are known before only.
    """
    if not head.bbox_coder.clip_border:
        return boxes
    height, width = (torch.as_tensor(side).to(boxes) for side in size)
    ends = torch.stack([width, height, width, height])
    corners = boxes.reshape(-1, 4)
    return corners.clamp(min=0).minimum(ends).reshape(boxes.shape)


KINDS: dict[type[BaseDetector], Kind] = {
    RetinaNet: Kind(detect_one_stage, lowest_opset=12, reason='Min of whole numbers'),
    FasterRCNN: Kind(detect_two_stage),
    MaskRCNN: Kind(detect_with_masks, ('boxes', 'scores', 'labels', 'masks')),
}
# Exactly these types: one that inherits may compute something else. A detector has not
# all of the parts.
PARTS: dict[str, tuple[type, ...]] = {
    'data_preprocessor': (DetDataPreprocessor,),
    'bbox_head': (RetinaHead, RetinaSepBNHead),
    'bbox_head.bbox_coder': (DeltaXYWHBBoxCoder,),
    'bbox_head.prior_generator': (AnchorGenerator,),
    'rpn_head': (RPNHead,),
    'rpn_head.bbox_coder': (DeltaXYWHBBoxCoder,),
    'rpn_head.prior_generator': (AnchorGenerator,),
    'roi_head': (StandardRoIHead,),
    'roi_head.bbox_head': (Shared2FCBBoxHead, Shared4Conv1FCBBoxHead, ConvFCBBoxHead),
    'roi_head.bbox_head.bbox_coder': (DeltaXYWHBBoxCoder,),
    'roi_head.bbox_roi_extractor': (SingleRoIExtractor,),
    'roi_head.bbox_roi_extractor.roi_layers.0': (RoIAlign,),
    'roi_head.mask_head': (FCNMaskHead,),
    'roi_head.mask_roi_extractor': (SingleRoIExtractor,),
    'roi_head.mask_roi_extractor.roi_layers.0': (RoIAlign,),
}
SETTINGS = {
    'bbox_head.use_sigmoid_cls': True,
    'rpn_head.use_sigmoid_cls': True,
    'roi_head.with_shared_head': False,
    'roi_head.bbox_head.with_reg': True,
    'roi_head.bbox_head.custom_activation': False,
    'roi_head.bbox_roi_extractor.roi_layers.0.pool_mode': 'avg',
}


def exportable(model: BaseDetector, raw: bool = False) -> ExportableDetector:
    """Returns a detector as a module that exporters can follow.

    Args:
        model (BaseDetector): In evaluation mode.
        raw (bool): Whether its input is the image as it is read from a file,
            instead of the normalised one.

    Returns:
        ExportableDetector: It shares the parts of ``model``.

    Raises:
        UserError: If the detector, one of its parts or a setting has no equal among
            the operators of ONNX; the message names it and what can be exported.
    """
    _check_type('the detector', model, tuple(KINDS))
    for name, types in PARTS.items():
        with suppress(AttributeError):
            _check_type(name, attrgetter(name)(model), types)
    for name, right in SETTINGS.items():
        with suppress(AttributeError):
            _check_value(name, attrgetter(name)(model), right)
    for name in ('bbox_head', 'rpn_head', 'roi_head'):
        nms = getattr(model, name).test_cfg.nms if hasattr(model, name) else {}
        # offset=1 and the others change which boxes are left.
        for key in set(nms) - {'iou_threshold', 'split_thr'}:
            right = dict(type='nms', class_agnostic=False).get(key, 0)
            _check_value(f'{key} of nms in test_cfg of {name}', nms[key], right)
    for name, part in model.named_modules():
        if type(part).__module__.startswith('mmcv.ops') and type(part) is not RoIAlign:
            raise UserError(
                f'{name} is a {type(part).__name__}, for which ONNX has no operator: '
                'export a detector without'
            )
    return ExportableDetector(model, raw).eval()


def _check_type(name: str, part: Any, types: tuple[type, ...]) -> None:
    if type(part) not in types:
        names = ', '.join(kind.__name__ for kind in types)
        raise UserError(
            f'{name} is of the type {type(part).__name__}, which cannot be exported; '
            f'these can: {names}'
        )


def _check_value(name: str, value: Any, right: Any) -> None:
    if value != right:
        raise UserError(f'{name} is {value!r}, which cannot be exported; {right!r} can')
