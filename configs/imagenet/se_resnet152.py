_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='SEResNet', depth=152), in_channels=2048)
