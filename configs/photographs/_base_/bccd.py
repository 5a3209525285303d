# BCCD, blood cells in microscope photographs: 292 to train on and 72 to evaluate on, at
# 0.4 of their size. How to get them: docs/paper_tables.md.
_base_ = './schedule.py'

_metainfo = dict(classes=('RBC', 'WBC', 'Platelets'))
_size = dict(type='Resize', scale=(256, 192), keep_ratio=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    _size,
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    _size,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    dataset=dict(
        data_root='data/bccd/',
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=_metainfo,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root='data/bccd/',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        metainfo=_metainfo,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/bccd/annotations/val.json')
test_evaluator = val_evaluator
