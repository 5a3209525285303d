_base_ = ['../mask_rcnn_eca_r50_fpn_1x.py', './_base_/digits.py']

model = dict(
    backbone=_base_.digits.backbone,
    neck=_base_.digits.neck,
    rpn_head=_base_.digits.rpn_head,
    roi_head=dict(
        bbox_roi_extractor=_base_.digits.roi_extractor,
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=10),
        mask_roi_extractor=_base_.digits.roi_extractor,
        mask_head=dict(
            num_convs=2, in_channels=64, conv_out_channels=64, num_classes=10
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=300, max_per_img=100),
        rcnn=dict(sampler=dict(num=48, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)),
)

train_dataloader = _base_.digits.train_dataloader
val_dataloader = _base_.digits.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.digits.evaluator
test_evaluator = val_evaluator
train_cfg = _base_.digits.train_cfg
optim_wrapper = _base_.digits.optim_wrapper
param_scheduler = _base_.digits.param_scheduler
default_hooks = _base_.digits.default_hooks
custom_hooks = _base_.digits.custom_hooks
