_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(
        type='AttentionResNet', depth=50, attention=dict(type='SEGroup', group_width=8)
    ),
    in_channels=2048,
)
