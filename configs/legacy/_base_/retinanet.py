_base_ = ['../../_base_/retinanet_fpn_1x.py', './inclusive_boxes.py']

model = dict(
    bbox_head=dict(_base_.anchor_head, loss_bbox=dict(type='SmoothL1Loss', beta=0.11)),
    test_cfg=dict(nms=_base_.nms),
)
val_evaluator = _base_.evaluator
test_evaluator = val_evaluator
