_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='CBAMResNet', depth=50), in_channels=2048)
