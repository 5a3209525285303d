_base_ = ['./_base_/faster_rcnn_fpn_1x.py', './_base_/se_r50.py']

model = dict(backbone=_base_.backbone)
