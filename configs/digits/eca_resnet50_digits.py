# Teaches the backbone of the digits detectors to tell digits apart, with ImageNet's
# pretraining on the digits that tools/make_digits.py has cut out:
#   python tools/pretrain_imagenet.py configs/digits/eca_resnet50_digits.py
# The demo runs this first. A quarter of the width, crops of 32, three minutes on
# two cores. No flips: a mirrored digit is none.
_base_ = '../imagenet/eca_resnet50.py'

_epochs = 16
model = dict(
    # the short training goes faster from blocks that start as their shortcuts
    backbone=dict(base_channels=16, zero_init_residual=True),
    in_channels=512,
    num_classes=10,
)
_loader = dict(num_workers=1, pin_memory=False)
train_dataloader = dict(
    **_loader,
    dataset=dict(
        root='data/digits/crops/train',
        pipeline=[
            dict(type='LoadRandomResizedCrop', size=32, area=(0.75, 1)),
            dict(type='PackImage'),
        ],
    ),
)
val_dataloader = dict(
    **_loader,
    dataset=dict(
        root='data/digits/crops/val',
        pipeline=[
            dict(type='LoadCenterCrop', size=32, shorter_side=36),
            dict(type='PackImage'),
        ],
    ),
)
train_cfg = dict(max_epochs=_epochs)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=80),
    dict(
        type='CosineAnnealingLR',
        T_max=_epochs,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(max_keep_ckpts=2))
custom_hooks = [dict(type='ChannelsLastHook')]
