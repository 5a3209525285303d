_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='SEResNet', depth=34), in_channels=512)
