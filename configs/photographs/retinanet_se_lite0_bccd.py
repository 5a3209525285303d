# The same detector with squeeze-and-excitation, of EfficientNet's width.
_base_ = './retinanet_lite0_bccd.py'

model = dict(backbone=dict(attention=dict(type='SqueezeExcitation', ratio=4)))
