_base_ = './_base_/mobilenetv2.py'

model = dict(
    backbone=dict(
        type='AttentionMobileNetV2', attention=dict(type='SqueezeExcitation', ratio=8)
    )
)
