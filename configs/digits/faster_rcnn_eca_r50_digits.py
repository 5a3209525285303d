_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    './_base_/quarter_width.py',
    './_base_/digits_coco.py',
]

model = dict(_base_.rcnn, backbone=_base_.backbone, neck=_base_.neck)
