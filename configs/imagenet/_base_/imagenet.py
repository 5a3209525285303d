# ImageNet's data as in the paper: random crops to 224 with flips for training; for
# validation the shorter side to 256 and the central 224. One folder a class, of
# training and validation images alike.
custom_imports = dict(imports=['mmdet_eca.pretraining'])

_loader = dict(
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='collate_images'),
)
train_dataloader = dict(
    **_loader,
    batch_size=64,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ImageFolder',
        root='data/imagenet/train',
        pipeline=[
            dict(type='LoadRandomResizedCrop', size=224),
            dict(type='RandomMirror', prob=0.5),
            dict(type='PackImage'),
        ],
    ),
)
val_dataloader = dict(
    **_loader,
    batch_size=64,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolder',
        root='data/imagenet/val',
        pipeline=[
            dict(type='LoadCenterCrop', size=224, shorter_side=256),
            dict(type='PackImage'),
        ],
    ),
)
val_evaluator = dict(type='TopAccuracy', topk=(1, 5))
val_cfg = dict(type='ValLoop')

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ImagePreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        non_blocking=True,
    ),
    num_classes=1000,
)
