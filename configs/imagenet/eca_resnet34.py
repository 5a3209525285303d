_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='ECAResNet', depth=34, kernel_size=(3, 3, 5, 7)), in_channels=512
)
