_base_ = './_base_/mobilenetv2.py'

model = dict(backbone=dict(type='MobileNetV2'))
