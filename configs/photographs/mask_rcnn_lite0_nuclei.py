_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    './_base_/lite0.py',
    './_base_/nuclei.py',
]

# Up to 101 nuclei an image; half of them smaller than 13 pixels.
_proposals = dict(nms_pre=1000, max_per_img=300)
_roi_head = _base_.rcnn.roi_head
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.lite0,
    neck=_base_.lite0_neck,
    rpn_head=dict(_base_.rcnn.rpn_head, anchor_generator=dict(scales=[2])),
    roi_head=dict(
        _roi_head,
        bbox_head=dict(_roi_head.bbox_head, num_classes=1),
        mask_roi_extractor=_roi_head.bbox_roi_extractor,
        mask_head=dict(
            num_convs=2, in_channels=64, conv_out_channels=64, num_classes=1
        ),
    ),
    train_cfg=dict(
        _base_.rcnn.train_cfg,
        rpn_proposal=_proposals,
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=_proposals, rcnn=dict(max_per_img=150)),
)
