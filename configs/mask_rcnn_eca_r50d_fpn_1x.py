_base_ = ['./_base_/mask_rcnn_fpn_1x.py', './_base_/eca_r50d.py']

model = dict(backbone=_base_.backbone)
