# The same detector with Efficient Channel Attention.
_base_ = './retinanet_lite0_bccd.py'

model = dict(backbone=dict(type='ECAEfficientNetLite'))
