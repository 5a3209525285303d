# Nuclei of cells, the 256x256 images of Data Science Bowl 2018: 246 to train on and 88
# to evaluate on. How to get them: docs/paper_tables.md.
_base_ = './schedule.py'

_metainfo = dict(classes=('nucleus',))
_size = dict(type='Resize', scale=(256, 256), keep_ratio=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    _size,
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    _size,
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    dataset=dict(
        data_root='data/nuclei/',
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=_metainfo,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root='data/nuclei/',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        metainfo=_metainfo,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    metric=['bbox', 'segm'], ann_file='data/nuclei/annotations/val.json'
)
test_evaluator = val_evaluator
