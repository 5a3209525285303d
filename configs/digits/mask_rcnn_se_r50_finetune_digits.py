# The same with squeeze-and-excitation, which starts as the identity too.
_base_ = './mask_rcnn_r50_finetune_digits.py'

model = dict(backbone=dict(type='SEResNet'))
