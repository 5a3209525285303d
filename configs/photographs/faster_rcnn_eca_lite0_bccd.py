# The same detector with Efficient Channel Attention.
_base_ = './faster_rcnn_lite0_bccd.py'

model = dict(backbone=dict(type='ECAEfficientNetLite'))
