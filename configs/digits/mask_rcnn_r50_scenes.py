# The same detector without attention.
_base_ = './mask_rcnn_eca_r50_scenes.py'

model = dict(
    backbone=dict(
        _delete_=True, type='ResNet', depth=50, base_channels=16, norm_eval=False
    )
)
