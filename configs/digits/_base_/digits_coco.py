# Digits-COCO, and the schedule on it: four epochs from scratch, in minutes on two CPU
# cores. No flips: a mirrored digit is none.
_base_ = [
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/default_runtime.py',
    '../../_base_/schedule_1x_4x2.py',
]

_epochs = 4
_metainfo = dict(classes=tuple('0123456789'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(240, 160), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
test_pipeline = train_pipeline
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    batch_sampler=None,
    dataset=dict(
        data_root='data/digits/',
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/'),
        metainfo=_metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root='data/digits/',
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        metainfo=_metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/digits/annotations/instances_val.json')
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=_epochs)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=_epochs,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(max_keep_ckpts=1))
custom_hooks = [dict(type='ChannelsLastHook')]
