_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    './_base_/lite0.py',
    './_base_/bccd.py',
]

model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.lite0,
    neck=_base_.lite0_neck,
    bbox_head=dict(
        type='RetinaSepBNHead',  # as on the digits
        num_ins=5,
        in_channels=64,
        feat_channels=64,
        num_classes=3,
        anchor_generator=dict(octave_base_scale=2),
        norm_cfg=dict(type='BN'),
    ),
)
