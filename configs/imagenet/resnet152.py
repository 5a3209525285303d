_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='ResNet', depth=152), in_channels=2048)
