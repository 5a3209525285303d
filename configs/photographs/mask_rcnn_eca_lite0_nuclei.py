# The same detector with Efficient Channel Attention.
_base_ = './mask_rcnn_lite0_nuclei.py'

model = dict(backbone=dict(type='ECAEfficientNetLite'))
