_base_ = './resnet50_digits.py'

model = dict(
    backbone=dict(
        type='AttentionResNet', attention=dict(type='SEGroup', group_width=16)
    )
)
