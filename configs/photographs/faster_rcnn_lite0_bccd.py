_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    './_base_/lite0.py',
    './_base_/bccd.py',
]

_roi_head = _base_.rcnn.roi_head
model = dict(
    _base_.rcnn,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.lite0,
    neck=_base_.lite0_neck,
    roi_head=dict(_roi_head, bbox_head=dict(_roi_head.bbox_head, num_classes=3)),
    test_cfg=dict(_base_.rcnn.test_cfg, rcnn=dict(max_per_img=100)),
)
