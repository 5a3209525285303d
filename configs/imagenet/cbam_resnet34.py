_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='CBAMResNet', depth=34), in_channels=512)
