_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='ResNet', depth=18), in_channels=512)
