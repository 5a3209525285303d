_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='AttentionResNet', depth=50, attention=dict(type='SEVar2')),
    in_channels=2048,
)
