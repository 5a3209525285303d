_base_ = ['../retinanet_eca_r50_fpn_1x.py', './_base_/digits.py']

model = dict(
    backbone=_base_.digits.backbone,
    neck=_base_.digits.neck,
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        num_classes=10,
        anchor_generator=dict(octave_base_scale=2),
        norm_cfg=dict(type='BN'),
    ),
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
