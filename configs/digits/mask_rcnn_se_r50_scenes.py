# The same detector with squeeze-and-excitation.
_base_ = './mask_rcnn_r50_scenes.py'

model = dict(backbone=dict(type='SEResNet'))
