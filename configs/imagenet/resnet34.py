_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='ResNet', depth=34), in_channels=512)
