# The same detector with squeeze-and-excitation.
_base_ = './retinanet_r50_digits.py'

model = dict(backbone=dict(type='SEResNet'))
