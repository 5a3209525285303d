_base_ = ['../../_base_/mask_rcnn_fpn_1x.py', './inclusive_boxes.py']

model = dict(
    _base_.rcnn,
    roi_head=dict(
        _base_.rcnn.roi_head,
        mask_roi_extractor=_base_.rcnn.roi_head.bbox_roi_extractor,
        mask_head=dict(type='InclusiveMaskHead'),
    ),
)
val_evaluator = _base_.evaluator
test_evaluator = val_evaluator
