# ImageNet's pretraining tried on folders of digits, which takes no download:
#   python tools/make_digits.py --crops data/digit_crops
#   python tools/pretrain_imagenet.py configs/digits/eca_resnet18_digit_crops.py
# A quarter of the width, crops of 32, two minutes on two cores. No mirrored digits.
_base_ = '../imagenet/eca_resnet18.py'

_epochs = 8
model = dict(
    backbone=dict(base_channels=16), in_channels=128, num_classes=10)
_loader = dict(num_workers=1, pin_memory=False)
train_dataloader = dict(
    **_loader,
    dataset=dict(
        root='data/digit_crops/train',
        pipeline=[
            dict(type='LoadRandomResizedCrop', size=32, area=(0.5, 1)),
            dict(type='PackImage')
        ]))
val_dataloader = dict(
    **_loader,
    dataset=dict(
        root='data/digit_crops/val',
        pipeline=[
            dict(type='LoadCenterCrop', size=32, shorter_side=32),
            dict(type='PackImage')
        ]))
train_cfg = dict(max_epochs=_epochs)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = dict(
    _delete_=True,
    type='CosineAnnealingLR',
    T_max=_epochs,
    convert_to_iter_based=True)
default_hooks = dict(logger=dict(interval=20))
