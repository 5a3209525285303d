# One non-local block right before the last residual block of c4.
_base_ = './mask_rcnn_r50_fpn_1x.py'

model = dict(backbone=dict(type='NonLocalResNet'))
