# MMDetection 1.x, with which the authors trained and evaluated: boxes include their
# last pixel, in the head, NMS and COCO's evaluation. For converted detectors.
_base_ = '../../_base_/retinanet_fpn_1x.py'

model = dict(
    bbox_head=dict(
        anchor_generator=dict(type='LegacyAnchorGenerator', center_offset=0.5),
        bbox_coder=dict(type='InclusiveBoxCoder'),
        loss_bbox=dict(type='SmoothL1Loss', beta=0.11),
    ),
    test_cfg=dict(nms=dict(offset=1)),
)

val_evaluator = dict(type='InclusiveCocoMetric')
test_evaluator = val_evaluator
