# ECA in MMDetection's FCOS. That one is built on weights in Caffe's style; the
# authors' weights, as torchvision's, want their own style and normalised RGB.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/eca_r50.py']

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(style='pytorch', **_base_.backbone),
)
