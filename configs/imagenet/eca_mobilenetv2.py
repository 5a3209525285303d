_base_ = './_base_/mobilenetv2.py'

model = dict(backbone=dict(type='ECAMobileNetV2', kernel_size=(1, 1, 1, 1, 1, 3, 3)))
