_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='CBAMResNet', depth=101), in_channels=2048)
