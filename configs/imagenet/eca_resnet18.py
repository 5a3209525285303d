_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='ECAResNet', depth=18, kernel_size=(3, 5, 7, 7)), in_channels=512
)
