_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='ECAResNet', depth=50, kernel_size=(3, 5, 5, 7)),
    in_channels=2048,
)
