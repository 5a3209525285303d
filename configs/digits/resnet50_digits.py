# The same without attention: the backbone that mask_rcnn_r50_digits.py starts from.
_base_ = './eca_resnet50_digits.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        base_channels=16,
        out_indices=(3,),
        norm_eval=False,
        zero_init_residual=True,
    )
)
