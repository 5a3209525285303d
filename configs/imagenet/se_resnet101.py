_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='SEResNet', depth=101), in_channels=2048)
