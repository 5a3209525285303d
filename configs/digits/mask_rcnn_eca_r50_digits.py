_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    './_base_/quarter_width.py',
    './_base_/digits_coco.py',
]

model = dict(
    _base_.rcnn,
    backbone=_base_.backbone,
    neck=_base_.neck,
    roi_head=dict(
        _base_.rcnn.roi_head,
        mask_roi_extractor=_base_.rcnn.roi_head.bbox_roi_extractor,
        mask_head=dict(
            num_convs=2, in_channels=64, conv_out_channels=64, num_classes=10
        ),
    ),
)
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
