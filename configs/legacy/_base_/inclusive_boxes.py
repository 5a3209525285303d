# MMDetection 1.x, with which the authors trained and evaluated: boxes include their
# last pixel, in the heads, NMS, RoIs, masks and COCO's evaluation. For converted
# detectors.
anchor_head = dict(
    anchor_generator=dict(type='LegacyAnchorGenerator', center_offset=0.5),
    bbox_coder=dict(type='InclusiveBoxCoder'),
)
nms = dict(offset=1)
# Faster R-CNN, and Mask R-CNN without its masks.
rcnn = dict(
    rpn_head=dict(**anchor_head, loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0)),
    roi_head=dict(
        bbox_roi_extractor=dict(
            type='InclusiveRoIExtractor', roi_layer=dict(sampling_ratio=2)
        ),
        bbox_head=dict(
            bbox_coder=dict(type='InclusiveBoxCoder'),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0),
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(max_per_img=2000, nms=nms),
        rcnn=dict(assigner=dict(match_low_quality=True)),
    ),
    test_cfg=dict(rpn=dict(nms=nms, min_bbox_size=-1), rcnn=dict(nms=nms)),
)
evaluator = dict(type='InclusiveCocoMetric')
