_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    './_base_/quarter_width.py',
    './_base_/digits_coco.py',
]

model = dict(
    backbone=_base_.backbone,
    neck=_base_.neck,
    bbox_head=dict(
        type='RetinaSepBNHead',  # each level has its own norms: means differ
        num_ins=5,
        in_channels=64,
        feat_channels=64,
        num_classes=10,
        anchor_generator=dict(octave_base_scale=2),
        norm_cfg=dict(type='BN'),
    ),
)
