"""Which detectors can be exported, and what each becomes."""

from collections.abc import Iterator
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.dense_heads import RetinaHead, RetinaSepBNHead, RPNHead
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

from ..errors import UserError
from .detectors import (
    ExportableDetector,
    ExportableFasterRCNN,
    ExportableMaskRCNN,
    ExportableRetinaNet,
)

KINDS: dict[type[BaseDetector], type[ExportableDetector]] = {
    RetinaNet: ExportableRetinaNet,
    FasterRCNN: ExportableFasterRCNN,
    MaskRCNN: ExportableMaskRCNN,
}

# Exactly these types: one that inherits may compute something else.
_BBOX_HEADS = (Shared2FCBBoxHead, Shared4Conv1FCBBoxHead, ConvFCBBoxHead)


def exportable(model: BaseDetector, raw: bool = False) -> ExportableDetector:
    """A detector as a module that exporters can follow.

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
    kind = KINDS.get(type(model))
    if kind is None:
        raise UserError(
            f'a {type(model).__name__} cannot be exported; '
            f'{_names(*KINDS)} can, of MMDetection 3.x'
        )
    for name, part, *types in _parts(model):
        if type(part) not in types:
            raise UserError(
                f'{name} is a {type(part).__name__}, which cannot be exported; '
                f'{_names(*types)} can'
            )
    for name, value, right in _settings(model):
        if value != right:
            raise UserError(
                f'{name} is {value!r}, which cannot be exported; {right!r} can'
            )
    return kind(model, raw).eval()


def _names(*types: type) -> str:
    *names, last = (kind.__name__ for kind in types)
    return f'{", ".join(names)} and {last}' if names else last


def _dense_heads(model: BaseDetector) -> Iterator[tuple[str, Any]]:
    for name in ('bbox_head', 'rpn_head'):
        if hasattr(model, name):
            yield name, getattr(model, name)


def _parts(model: BaseDetector) -> Iterator[tuple]:
    """Yields the name of each part, the part and the types that it may have."""
    yield 'data_preprocessor', model.data_preprocessor, DetDataPreprocessor
    for name, head in _dense_heads(model):
        types = (RPNHead,) if name == 'rpn_head' else (RetinaHead, RetinaSepBNHead)
        yield name, head, *types
        yield f'{name}.bbox_coder', head.bbox_coder, DeltaXYWHBBoxCoder
        yield f'{name}.prior_generator', head.prior_generator, AnchorGenerator
    if not hasattr(model, 'roi_head'):
        return
    roi_head = model.roi_head
    yield 'roi_head', roi_head, StandardRoIHead
    yield 'roi_head.bbox_head', roi_head.bbox_head, *_BBOX_HEADS
    coder = roi_head.bbox_head.bbox_coder
    yield 'roi_head.bbox_head.bbox_coder', coder, DeltaXYWHBBoxCoder
    extractors = ['bbox_roi_extractor']
    if type(model) is MaskRCNN:
        yield 'roi_head.mask_head', roi_head.mask_head, FCNMaskHead
        extractors.append('mask_roi_extractor')
    for name in extractors:
        extractor = getattr(roi_head, name)
        yield f'roi_head.{name}', extractor, SingleRoIExtractor
        yield f'roi_head.{name}.roi_layer', extractor.roi_layers[0], RoIAlign


def _settings(model: BaseDetector) -> Iterator[tuple[str, Any, Any]]:
    """Yields the name of each setting, its value and the only one that is exported."""
    for name, head in _dense_heads(model):
        yield f'{name}.use_sigmoid_cls', head.use_sigmoid_cls, True
        yield from _nms_settings(name, head.test_cfg.nms)
    if not hasattr(model, 'roi_head'):
        return
    roi_head = model.roi_head
    yield from _nms_settings('roi_head', roi_head.test_cfg.nms)
    yield 'roi_head.with_shared_head', roi_head.with_shared_head, False
    head = roi_head.bbox_head
    yield 'roi_head.bbox_head.with_reg', head.with_reg, True
    yield 'roi_head.bbox_head.custom_activation', head.custom_activation, False
    layer = roi_head.bbox_roi_extractor.roi_layers[0]
    yield 'roi_head.bbox_roi_extractor.roi_layer.pool_mode', layer.pool_mode, 'avg'


def _nms_settings(name: str, nms: dict) -> Iterator[tuple[str, Any, Any]]:
    where = f'nms in test_cfg of {name}'
    yield f'type of {where}', nms.get('type', 'nms'), 'nms'
    known = {'type', 'iou_threshold', 'split_thr'}
    for key in set(nms) - known:
        # offset=1 and the others change which boxes are left.
        yield f'{key} of {where}', nms[key], {'class_agnostic': False}.get(key, 0)
