# What the digits configs have in common; each takes it into the real config that
# it inherits from. Two CPU cores train it in minutes: a quarter of the width, norm
# in the FPN since nothing is pretrained on ImageNet, and scales for images a fifth of
# COCO's size. No flips: a mirrored digit is none.
_metainfo = dict(classes=tuple('0123456789'))
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(240, 160), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
_epochs = 4

digits = dict(
    backbone=dict(base_channels=16, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(
        in_channels=[64, 128, 256, 512], out_channels=64, norm_cfg=dict(type='BN')
    ),
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])),
    roi_extractor=dict(
        out_channels=64, finest_scale=28, roi_layer=dict(sampling_ratio=1)
    ),
    train_dataloader=dict(
        batch_size=4,
        num_workers=1,
        batch_sampler=None,
        dataset=dict(
            data_root='data/digits/',
            ann_file='annotations/instances_train.json',
            data_prefix=dict(img='train/'),
            metainfo=_metainfo,
            pipeline=_pipeline,
        ),
    ),
    val_dataloader=dict(
        batch_size=8,
        num_workers=1,
        dataset=dict(
            data_root='data/digits/',
            ann_file='annotations/instances_val.json',
            data_prefix=dict(img='val/'),
            metainfo=_metainfo,
            pipeline=_pipeline,
        ),
    ),
    evaluator=dict(ann_file='data/digits/annotations/instances_val.json'),
    train_cfg=dict(max_epochs=_epochs),
    optim_wrapper=dict(
        _delete_=True,
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
        clip_grad=dict(max_norm=5),
    ),
    param_scheduler=[
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
        dict(
            type='CosineAnnealingLR',
            T_max=_epochs,
            eta_min_ratio=0.01,
            convert_to_iter_based=True,
        ),
    ],
    default_hooks=dict(logger=dict(interval=20), checkpoint=dict(max_keep_ckpts=1)),
    custom_hooks=[dict(type='ChannelsLastHook')],
)
