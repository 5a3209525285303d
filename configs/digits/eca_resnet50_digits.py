# Teaches the backbone of the digits detectors to tell digits apart. The demo runs
# this first; a detector then starts from it with
#   init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')
_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['mmdet_eca'])
_epochs = 8

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='ECAResNet',
        depth=50,
        kernel_size=(3, 5, 5, 7),
        base_channels=16,
        norm_eval=False),
    in_channels=512,
    num_classes=10)

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='DigitCrops',
        ann_file='data/digits/annotations/instances_train.json',
        image_folder='data/digits/train'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='DigitCrops',
        ann_file='data/digits/annotations/instances_val.json',
        image_folder='data/digits/val'))
val_evaluator = dict(type='TopAccuracy')

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=_epochs)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=80),
    dict(
        type='CosineAnnealingLR',
        T_max=_epochs,
        eta_min_ratio=0.01,
        convert_to_iter_based=True)
]
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(max_keep_ckpts=1))
custom_hooks = [dict(type='ChannelsLastHook')]
