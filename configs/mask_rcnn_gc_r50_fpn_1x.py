# GCNet's global context block at the end of every residual branch of c3 to c5.
_base_ = './mask_rcnn_r50_fpn_1x.py'

model = dict(
    backbone=dict(plugins=[
        dict(
            cfg=dict(type='ContextBlock', ratio=1 / 16),
            stages=(False, True, True, True),
            position='after_conv3')
    ]))
