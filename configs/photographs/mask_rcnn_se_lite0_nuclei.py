# The same detector with squeeze-and-excitation, of EfficientNet's width.
_base_ = './mask_rcnn_lite0_nuclei.py'

model = dict(backbone=dict(attention=dict(type='SqueezeExcitation', ratio=4)))
