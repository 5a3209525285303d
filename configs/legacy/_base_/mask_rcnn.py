# MMDetection 1.x, with which the authors trained and evaluated: boxes include their
# last pixel, in the heads, NMS, RoIs, masks and COCO's evaluation. For converted
# detectors.
_base_ = '../../_base_/mask_rcnn_fpn_1x.py'

model = dict(
    rpn_head=dict(
        anchor_generator=dict(type='LegacyAnchorGenerator', center_offset=0.5),
        bbox_coder=dict(type='InclusiveBoxCoder'),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            type='InclusiveRoIExtractor', roi_layer=dict(sampling_ratio=2)
        ),
        bbox_head=dict(
            bbox_coder=dict(type='InclusiveBoxCoder'),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0),
        ),
        mask_roi_extractor=dict(
            type='InclusiveRoIExtractor', roi_layer=dict(sampling_ratio=2)
        ),
        mask_head=dict(type='InclusiveMaskHead'),
    ),
    train_cfg=dict(
        rpn_proposal=dict(max_per_img=2000, nms=dict(offset=1)),
        rcnn=dict(assigner=dict(match_low_quality=True)),
    ),
    test_cfg=dict(
        rpn=dict(nms=dict(offset=1), min_bbox_size=-1), rcnn=dict(nms=dict(offset=1))
    ),
)

val_evaluator = dict(type='InclusiveCocoMetric')
test_evaluator = val_evaluator
